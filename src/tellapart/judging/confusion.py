"""Confusion matrices: counts of true and predicted classes, and the pairs that are confused most often.

The matrix of 9,000 classes takes 648 MB, nearly all of it zeros; `ConfusionCells` are those that are not empty.
"""

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


@dataclass(frozen=True, eq=False)
class ConfusionCells:
    """The cells of a confusion matrix of `classes` classes that are not empty, row by row: int64 (m,) each."""

    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    count: NDArray[np.int64]
    classes: int

    @staticmethod
    def of(labels: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> "ConfusionCells":
        """Count images by true and predicted class, int (n,) each in [0, classes)."""
        cells, counts = np.unique(labels.astype(np.int64) * classes + predicted, return_counts=True)
        return ConfusionCells(cells // classes, cells % classes, counts.astype(np.int64), classes)

    @staticmethod
    def of_matrix(matrix: NDArray[np.integer]) -> "ConfusionCells":
        """Take the cells of a matrix (k, k), rows true."""
        true, predicted = np.nonzero(matrix)
        return ConfusionCells(true, predicted, matrix[true, predicted].astype(np.int64), len(matrix))

    @property
    def class_counts(self) -> ClassCounts:
        """Counts by class, int64 (k,)."""
        return ClassCounts(
            self._sums(self.true, self.true == self.predicted), self._sums(self.true), self._sums(self.predicted)
        )

    def among(self, chosen: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the matrix of some classes alone, int64 (c, c), in their order."""
        numbers = np.full(self.classes, -1)
        numbers[chosen] = np.arange(len(chosen))
        kept = (numbers[self.true] >= 0) & (numbers[self.predicted] >= 0)
        matrix = np.zeros((len(chosen), len(chosen)), np.int64)
        matrix[numbers[self.true[kept]], numbers[self.predicted[kept]]] = self.count[kept]
        return matrix

    def most_mistaken(self, limit: int) -> NDArray[np.intp]:
        """Return the indices, in order, of the classes with most mistakes, as true or predicted class."""
        counts = self.class_counts
        mistakes = counts.true + counts.predicted - 2 * counts.correct
        indices: NDArray[np.intp] = np.sort(np.argsort(-mistakes, kind="stable")[:limit])
        return indices

    def as_json(self) -> list[list[int]]:
        """`[[true, predicted, count], ...]`, classes by their index."""
        rows: list[list[int]] = np.stack([self.true, self.predicted, self.count], axis=1).tolist()
        return rows

    def _sums(self, index: NDArray[np.int64], only: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        sums = np.zeros(self.classes, np.int64)
        np.add.at(sums, index, self.count if only is None else self.count * only)
        return sums


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


def most_confused(cells: ConfusionCells, classes: Sequence[str], limit: int = 10) -> tuple[ConfusedPair, ...]:
    """List the most frequent mistakes of a matrix, at most `limit`; ties by larger share."""
    totals = cells.class_counts.true
    mistakes = np.flatnonzero(cells.true != cells.predicted)
    counts, shares = cells.count[mistakes], cells.count[mistakes] / totals[cells.true[mistakes]]
    first = mistakes[np.lexsort((-shares, -counts))][:limit]
    return tuple(
        ConfusedPair(classes[true], classes[predicted], count, count / int(totals[true]))
        for true, predicted, count in zip(
            *(a[first].tolist() for a in (cells.true, cells.predicted, cells.count)), strict=True
        )
    )
