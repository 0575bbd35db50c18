"""Checks of labels and probabilities, once, for all of judging."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DatasetError

SUM_TOLERANCE = 1e-3  # for rounding; a softmax in float32, as OpenVINO's always is, is within 1e-6


def require_judgeable(labels: NDArray[np.integer], probs: NDArray[np.floating], classes: tuple[str, ...]) -> None:
    """Check that labels, int (n,), and probabilities, float (n, k), match and are valid. Raises DatasetError."""
    _check_labels(labels, len(classes))
    _check_probs(probs, (len(labels), len(classes)))


def require_names(names: Sequence[str] | None, n: int) -> tuple[str, ...] | None:
    """Check that there is a name for each image, or none at all. Raises DatasetError."""
    if names is None:
        return None
    if isinstance(names, str) or len(names) != n:
        given = "one text" if isinstance(names, str) else f"{len(names):,} names"
        raise DatasetError(f"paths has {given} for {n:,} labels: give a path for each image, in the same order")
    return tuple(map(str, names))


def _check_labels(labels: NDArray[np.integer], classes: int) -> None:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DatasetError(
            f"labels have shape {labels.shape} and type {labels.dtype}, expected (n,) whole numbers: "
            "give each image the index of its class"
        )
    if not len(labels):
        raise DatasetError("there are 0 labels, at least 1 is needed: a classifier cannot be judged without an image")
    if labels.min() < 0 or labels.max() >= classes:
        raise DatasetError(
            f"labels go from {labels.min()} to {labels.max()}, expected 0 to {classes - 1} for {classes} "
            "classes: use the class names that the labels were made with"
        )


def _check_probs(probs: NDArray[np.floating], shape: tuple[int, int]) -> None:
    if probs.shape != shape or not np.issubdtype(probs.dtype, np.floating):
        raise DatasetError(
            f"probabilities have shape {probs.shape} and type {probs.dtype}, expected {shape} floating-point "
            "numbers: one row for each label, one column for each class"
        )
    if not np.isfinite(probs).all():
        raise DatasetError(
            f"{np.count_nonzero(~np.isfinite(probs)):,} probabilities are infinite or not a number, expected "
            "numbers in [0, 1]: the network has diverged, train it with a lower learning rate"
        )
    if probs.min() < 0:
        raise DatasetError(f"the least probability is {probs.min():.4g}, expected 0 or more: apply softmax to logits")
    _check_sums(probs.sum(axis=1, dtype=np.float64))


def _check_sums(sums: NDArray[np.float64]) -> None:
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst] - 1) > SUM_TOLERANCE:
        raise DatasetError(
            f"the probabilities of image {worst} add up to {sums[worst]:.4f}, expected 1 within "
            f"{SUM_TOLERANCE}: apply softmax to logits"
        )
