"""Confusion matrices: counts of true and predicted classes, and the pairs that are confused most often."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.number[Any]]


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Counts per class, (..., k): correct predictions, true images and predictions, for one confusion matrix or many.

    They suffice for precision, recall, F1 and Matthews correlation, and are k times smaller than the matrix.
    """

    correct: Numbers
    true: Numbers
    predicted: Numbers


@dataclass(frozen=True)
class ConfusedPair:
    """`count` images of class `true` were predicted as `predicted`: `share`, in (0, 1], of all images of `true`."""

    true: str
    predicted: str
    count: int
    share: float


def confusion_matrix(labels: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Count images by true class (row) and predicted class (column): int64 (classes, classes).

    `labels` and `predicted` are int (n,) in [0, classes).
    """
    cells = labels.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def class_counts(confusion: Numbers) -> ClassCounts:
    """Reduce confusion matrices, (..., k, k), rows true, to their counts by class."""
    correct = np.diagonal(confusion, axis1=-2, axis2=-1)
    return ClassCounts(correct, confusion.sum(axis=-1), confusion.sum(axis=-2))


def most_confused(matrix: NDArray[np.int64], classes: Sequence[str], limit: int = 10) -> tuple[ConfusedPair, ...]:
    """List the most frequent mistakes in a matrix (k, k), rows true, at most `limit`; ties by larger share."""
    mistakes = matrix.copy()
    np.fill_diagonal(mistakes, 0)
    totals = matrix.sum(axis=1)
    pairs = [
        ConfusedPair(classes[i], classes[j], int(mistakes[i, j]), float(mistakes[i, j] / totals[i]))
        for i, j in np.argwhere(mistakes)
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.count, -pair.share))[:limit])
