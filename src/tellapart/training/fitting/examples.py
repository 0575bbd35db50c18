"""What a network learns from, and how a part of it is made ready for its steps."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.augmentation.augmented import augment_rows
from tellapart.data.augmentation.mixing import mix
from tellapart.data.dataset import Labels
from tellapart.models.resolved_recipe import NetworkRecipe

Array = NDArray[Any]
Chosen = slice | NDArray[np.integer]


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
    """Examples for some steps: inputs, targets float32 (n, classes), and how much each counts, float32 (n,)."""

    inputs: Array
    targets: NDArray[np.float32]
    importance: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.targets)


def made_ready(
    examples: Examples, rows: NDArray[np.integer], recipe: NetworkRecipe, classes: int, *, epoch: int = 0
) -> Ready:
    """Some rows as the recipe wants them for training: augmented, mixed, smoothed, weighted by class.

    The same seed, epoch and rows give the same. Only images are augmented here: a frozen base was given its views.
    """
    inputs, labels = examples.inputs[rows], examples.labels[rows]
    targets = np.eye(classes, dtype=np.float32)[labels]
    importance = class_weights(examples.labels, classes, recipe)[labels]
    augmentation = Augmentation.parse(recipe.augment)
    if augmentation.distorts and inputs.dtype == np.uint8:
        inputs = augment_rows(inputs, augmentation, seed=recipe.seed, epoch=epoch, rows=rows)
    if augmentation.mixes:
        rng = np.random.default_rng([recipe.seed, epoch, int(rows[0])])
        inputs, targets = mix(inputs, targets, augmentation, rng)
    smoothed = (1 - recipe.label_smoothing) * targets + recipe.label_smoothing / classes
    return Ready(inputs, smoothed.astype(np.float32), importance)


def class_weights(labels: Labels, classes: int, recipe: NetworkRecipe) -> NDArray[np.float32]:
    """How much an image of a class counts: 1, or balanced n / (classes x its images); float32 (classes,)."""
    if recipe.class_weight == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)
