"""What a network learns from, and how a part of it is made ready for its steps."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.augmentation import Augmentation
from tellapart.data.augmented import augment_rows
from tellapart.data.dataset import Labels
from tellapart.data.mixing import mix
from tellapart.recipe import Recipe

Array = NDArray[Any]
Chosen = slice | NDArray[np.integer]
ALIGNMENT = 64  # bytes


class Rows(Protocol):
    """Inputs (n, ...), in memory or on disk, that are read by rows."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, rows: Chosen, /) -> Array:
        """Some of them."""


@dataclass(frozen=True)
class Examples:
    """What a network learns from: inputs (n, ...) and labels int32 (n,)."""

    inputs: Rows
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Ready:
    """Examples for some steps: targets float32 (n, classes), and how much each counts, float32 (n,).

    Their inputs are those in `rows`, int32 (n,), of `inputs`, which may be more.
    """

    inputs: Array
    rows: NDArray[np.int32]
    targets: NDArray[np.float32]
    importance: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.targets)


def made_ready(
    examples: Examples,
    rows: NDArray[np.integer],
    recipe: Recipe,
    classes: int,
    *,
    epoch: int = 0,
    in_place: bool = False,
) -> Ready:
    """Some rows as the recipe wants them for training: augmented, mixed, smoothed, weighted by class.

    The same seed, epoch and rows give the same. Only pictures are augmented here: a frozen base was given its views.
    With `in_place`, inputs that are in memory and stay as they are, are not copied.
    """
    augmentation = Augmentation.parse(recipe.augment)
    labels = examples.labels[rows]
    targets = np.eye(classes, dtype=np.float32)[labels]
    importance = class_weights(examples.labels, classes, recipe)[labels]
    in_place = in_place and isinstance(examples.inputs, np.ndarray) and not _changes(augmentation, examples.inputs)
    inputs = examples.inputs[:] if in_place else examples.inputs[rows]
    places = rows if in_place else np.arange(len(rows))
    if augmentation.distorts and inputs.dtype == np.uint8:
        inputs = augment_rows(inputs, augmentation, seed=recipe.seed, epoch=epoch, rows=rows)
    if augmentation.mixes:
        rng = np.random.default_rng([recipe.seed, epoch, int(rows[0])])
        inputs, targets = mix(inputs, targets, augmentation, rng)
    smoothed = (1 - recipe.label_smoothing) * targets + recipe.label_smoothing / classes
    return Ready(inputs, places.astype(np.int32), smoothed.astype(np.float32), importance)


def _changes(augmentation: Augmentation, inputs: Array) -> bool:
    return augmentation.mixes or (augmentation.distorts and inputs.dtype == np.uint8)


def aligned(array: Array) -> Array:
    """The same numbers where TensorFlow takes them without a copy of its own: numpy's own arrays begin elsewhere."""
    room = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    result = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    result[...] = array
    return result


def class_weights(labels: Labels, classes: int, recipe: Recipe) -> NDArray[np.float32]:
    """How much a picture of a class counts: 1, or balanced n / (classes x its pictures); float32 (classes,)."""
    if recipe.class_weight == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)
