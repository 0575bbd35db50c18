"""Which classes are taken for which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tellapart.judging.judge import Evaluation

Numbers = NDArray[np.number[Any]]


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Images of each class, (..., k): rightly predicted, truly of it, predicted as it; of one matrix or of many.

    It is all of a confusion matrix that precision, recall, F1 and Matthews' coefficient look at, and k times smaller.
    """

    right: Numbers
    true: Numbers
    predicted: Numbers


@dataclass(frozen=True)
class Confused:
    """`count` images of class `true` were taken for `predicted`: `share`, in (0, 1], of all images of `true`."""

    true: str
    predicted: str
    count: int
    share: float


def confusion(labels: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Count images by true class (row) and predicted class (column): int64 (classes, classes).

    `labels` and `predicted` are int (n,) in [0, classes).
    """
    cells = labels.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def class_counts(confusion: Numbers) -> ClassCounts:
    """Count what each class has in confusion matrices, (..., k, k), rows true."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    return ClassCounts(right, confusion.sum(axis=-1), confusion.sum(axis=-2))


def most_confused(evaluation: Evaluation, most: int = 10) -> tuple[Confused, ...]:
    """Find the mistakes made most often, `most` pairs of classes at most; of equal counts the larger share first."""
    wrong = evaluation.confusion.copy()
    np.fill_diagonal(wrong, 0)
    totals = evaluation.confusion.sum(axis=1)
    pairs = [
        Confused(evaluation.classes[i], evaluation.classes[j], int(wrong[i, j]), float(wrong[i, j] / totals[i]))
        for i, j in np.argwhere(wrong)
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.count, -pair.share))[:most])
