"""Export formats: how each is written and run, and what it requires."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tellapart.bundles.bundle import Bundle
from tellapart.errors import BundleError, RecipeError, did_you_mean, require
from tellapart.exporting import graph_formats, keras_formats, litert_formats, parity
from tellapart.models.classical.estimators import FOREST, HEAD

NETWORK, ESTIMATOR, FOREST_KIND = "network", "estimator", "forest"


@dataclass(frozen=True)
class Format:
    """A format: the name of its file or folder, the kinds of bundle it supports, and the extra it requires.

    `write` exports a bundle, `write_any_size` one that resizes images itself, where the format can hold that, and
    `open` runs the export in the format's own runtime. `modules` have to be importable.
    """

    file: str
    kinds: tuple[str, ...]
    write: Callable[[Bundle, Path], None]
    open: Callable[[Path], parity.Runtime]
    extra: str | None = None
    modules: tuple[str, ...] = ()
    write_any_size: Callable[[Bundle, Path], None] | None = None


FORMATS: Mapping[str, Format] = {
    "openvino": Format(
        "model.xml",
        (NETWORK, ESTIMATOR),
        graph_formats.write_openvino,
        parity.openvino,
        write_any_size=graph_formats.write_openvino_any_size,
    ),
    "onnx": Format(
        "model.onnx",
        (NETWORK, ESTIMATOR),
        graph_formats.write_onnx,
        parity.onnx,
        "onnx",
        ("onnx",),
        partial(graph_formats.write_onnx, any_size=True),
    ),
    "litert": Format(
        "model.tflite",
        (NETWORK,),
        litert_formats.write_litert,
        parity.litert,
        "litert",
        ("ai_edge_litert",),
        partial(litert_formats.write_litert, any_size=True),
    ),
    "savedmodel": Format(
        "saved_model",
        (NETWORK,),
        keras_formats.write_saved_model,
        parity.saved_model,
        "train",
        write_any_size=partial(keras_formats.write_saved_model, any_size=True),
    ),
    "keras": Format("model.keras", (NETWORK,), keras_formats.write_keras, parity.keras, "train"),
    "h5": Format("model.h5", (NETWORK,), keras_formats.write_h5, parity.keras, "train"),
}


def format_for(bundle: Bundle, name: str) -> Format:
    """Return a format by name. Raises RecipeError, BundleError if the bundle does not fit, MissingPackageError."""
    if name not in FORMATS:
        raise RecipeError(f"there is no format {name!r}: {did_you_mean(name, FORMATS)}")
    target, kind = FORMATS[name], bundle_kind(bundle)
    if kind not in target.kinds:
        raise BundleError(_unsupported(bundle, kind, name))
    for module in target.modules:
        require(module, extra=target.extra or "train")
    return target


def any_size_writer(name: str) -> Callable[[Bundle, Path], None]:
    """Return what writes a format for images of any size. Raises RecipeError if the format cannot hold that."""
    writer = FORMATS[name].write_any_size
    if writer is None:
        able = [other for other, target in FORMATS.items() if target.write_any_size]
        raise RecipeError(
            f"{name} files consist of Keras's layers, and none of them resizes images as tellapart does: use --to "
            f"{', '.join(able[:-1])} or {able[-1]}, or leave out --input any-size"
        )
    return writer


def bundle_kind(bundle: Bundle) -> str:
    """Return the kind of a bundle: a network, an estimator that is a graph, or a forest."""
    return FOREST_KIND if FOREST in bundle.hashes else ESTIMATOR if HEAD in bundle.hashes else NETWORK


def _unsupported(bundle: Bundle, kind: str, name: str) -> str:
    model = bundle.manifest.recipe.get("model")
    alternatives = [other for other, target in FORMATS.items() if kind in target.kinds]
    if not alternatives:
        return (
            f"{bundle.folder} is a {model}, which cannot be exported: its trees are scikit-learn's. Use it with "
            f"predict and serve, or train a network, knn or logistic"
        )
    return (
        f"{bundle.folder} is a {model}, which has no Keras network to export to {name}: use {' or '.join(alternatives)}"
    )
