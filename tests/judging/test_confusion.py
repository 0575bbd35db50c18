"""Confusion matrices: the pairs of classes that are confused most often."""

import numpy as np

from tellapart.judging.confusion import ConfusedPair, ConfusionCells, confusion_matrix, most_confused

CLASSES = ("a", "b", "c")


def test_the_most_frequent_mistakes_come_first_and_no_correct_pair_is_among_them() -> None:
    labels = np.repeat([0, 1, 2], [10, 4, 6])
    predicted = np.array([0] * 8 + [1] * 2 + [1] * 2 + [2] * 2 + [2] * 5 + [0])
    cells = ConfusionCells.of(labels, predicted, 3)
    expected = (ConfusedPair("b", "c", 2, 0.5), ConfusedPair("a", "b", 2, 0.2), ConfusedPair("c", "a", 1, 1 / 6))
    assert most_confused(cells, CLASSES) == expected
    assert most_confused(cells, CLASSES, limit=1) == expected[:1]
    assert most_confused(ConfusionCells.of(labels, labels, 3), CLASSES) == ()


def test_cells_are_those_of_the_matrix_that_are_not_empty() -> None:
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(9, size=(2, 40))
    matrix = confusion_matrix(labels, predicted, 12)
    for cells in (ConfusionCells.of(labels, predicted, 12), ConfusionCells.of_matrix(matrix)):
        assert cells.among(np.arange(12)).tolist() == matrix.tolist()
        assert cells.among(np.array([7, 2])).tolist() == matrix[np.ix_([7, 2], [7, 2])].tolist()
        assert cells.as_json() == [[i, j, matrix[i, j]] for i, j in np.argwhere(matrix).tolist()]
        for found, expected in zip(
            (cells.class_counts.correct, cells.class_counts.true, cells.class_counts.predicted),
            (np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)),
            strict=True,
        ):
            assert found.tolist() == expected.tolist()


def test_the_classes_with_most_mistakes_are_in_their_order() -> None:
    matrix = np.array([[9, 0, 0, 1], [0, 9, 0, 0], [0, 0, 2, 4], [0, 0, 0, 9]])
    assert ConfusionCells.of_matrix(matrix).most_mistaken(2).tolist() == [2, 3]
