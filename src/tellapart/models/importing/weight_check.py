"""Check that every weight of a file of Keras 2 is where it belongs in the model that Keras 3 made of it."""

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tellapart.errors import WeightsError, require
from tellapart.models.importing.config_check import safe_text

Group = Any
"""A group or array of an HDF5 file; h5py has no types."""
WEIGHTS = "model_weights"
UNUSED = ("optimizer", "seed_generator", "_random_generator", "random_generator", "metrics")
"""Parts of a path to arrays that no answer depends on."""


def require_same_weights(model: keras.Model, arrays: Path) -> None:
    """Compare a model's weights with the arrays of its file, number by number. Raises WeightsError.

    In an .h5 file also the kinds of weights are compared (kernel, gamma, moving_mean), layer by layer.
    """
    h5py = require("h5py", extra="train")
    with h5py.File(arrays, "r") as file:
        stored = Counter(
            _digest(array[()]) for path, array in _arrays(file.get(WEIGHTS, file)) if not {*path.split("/")} & {*UNUSED}
        )
        if WEIGHTS in file:
            _require_same_kinds(model, file[WEIGHTS])
    loaded = Counter(_digest(np.asarray(weight)) for weight in model.weights)
    if missing := stored - loaded:
        raise WeightsError(f"{missing.total()} of its {stored.total()} arrays of weights have no place in the model")
    if unset := loaded - stored:
        raise WeightsError(f"{unset.total()} of the model's {loaded.total()} arrays of weights are not in the file")


def _arrays(group: Group, path: str = "") -> Iterator[tuple[str, Group]]:
    for name, item in group.items():
        if hasattr(item, "items"):
            yield from _arrays(item, f"{path}/{name}")
        else:
            yield f"{path}/{name}", item


def _digest(array: NDArray[Any]) -> tuple[tuple[int, ...], str]:
    numbers = array.astype(np.float32)
    return numbers.shape, sha256(numbers.tobytes()).hexdigest()


def _require_same_kinds(model: keras.Model, weights: Group) -> None:
    names = [_text(name) for name in weights.attrs.get("layer_names", ())]
    stored = [own for name in names if name in weights and (own := _kinds(weights[name]))]
    loaded = [[weight.name for weight in _in_order(layer)] for layer in model.layers if layer.weights]
    for layer, (kinds, expected) in enumerate(zip(stored, loaded, strict=False)):
        if len(kinds) != len(expected) or not all(map(_is_same_kind, kinds, expected)):
            raise WeightsError(
                f"the weights of layer {layer + 1} are in another order than Keras {keras.__version__} expects: "
                f"{safe_text(', '.join(kinds))} for {', '.join(expected)[:80]}"
            )


def _kinds(group: Group) -> list[str]:
    """The kinds of a layer's weights, from names such as conv1/kernel:0."""
    return [_text(name).rsplit("/", 1)[-1].split(":")[0] for name in group.attrs.get("weight_names", ())]


def _is_same_kind(kind: str, expected: str) -> bool:
    return kind == expected or (kind, expected) == ("depthwise_kernel", "kernel")  # renamed in Keras 3


def _in_order(layer: keras.Layer) -> list[keras.Variable]:
    weights: list[keras.Variable] = layer.trainable_weights + layer.non_trainable_weights
    return weights


def _text(name: object) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
