"""Examples of a training, and batches of them: augmented, mixed, smoothed, weighted."""

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
        """Return the number of rows."""

    def __getitem__(self, rows: Chosen, /) -> Array:
        """Read some rows."""


@dataclass(frozen=True)
class Examples:
    """Inputs (n, ...) and labels int32 (n,)."""

    inputs: Rows
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class PreparedExamples:
    """Examples for some steps: inputs, targets float32 (n, classes), and weights in the loss float32 (n,)."""

    inputs: Array
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.targets)


def prepare_examples(
    examples: Examples, rows: NDArray[np.integer], recipe: NetworkRecipe, classes: int, *, epoch: int = 0
) -> PreparedExamples:
    """Prepare some rows for training as the recipe says: augmented, mixed, smoothed, weighted by class.

    The same seed, epoch and rows give the same. Only images are augmented here: a frozen backbone has its views.
    """
    inputs, labels = examples.inputs[rows], examples.labels[rows]
    targets = np.eye(classes, dtype=np.float32)[labels]
    weights = class_weights(examples.labels, classes, recipe)[labels]
    augmentation = Augmentation.parse(recipe.augment)
    if augmentation.distorts and inputs.dtype == np.uint8:
        inputs = augment_rows(inputs, augmentation, seed=recipe.seed, epoch=epoch, rows=rows)
    if augmentation.mixes:
        rng = np.random.default_rng([recipe.seed, epoch, int(rows[0])])
        inputs, targets = mix(inputs, targets, augmentation, rng)
    smoothed = (1 - recipe.label_smoothing) * targets + recipe.label_smoothing / classes
    return PreparedExamples(inputs, smoothed.astype(np.float32), weights)


def class_weights(labels: Labels, classes: int, recipe: NetworkRecipe) -> NDArray[np.float32]:
    """Return each class's weight in the loss: 1, or balanced n / (classes x its images); float32 (classes,)."""
    if recipe.class_weight == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)
