"""Confusion matrices: the pairs of classes that are confused most often."""

import numpy as np

from tellapart.judging.confusion import ConfusedPair, confusion_matrix, most_confused

CLASSES = ("a", "b", "c")


def test_the_most_frequent_mistakes_come_first_and_no_correct_pair_is_among_them() -> None:
    labels = np.repeat([0, 1, 2], [10, 4, 6])
    predicted = np.array([0] * 8 + [1] * 2 + [1] * 2 + [2] * 2 + [2] * 5 + [0])
    matrix = confusion_matrix(labels, predicted, 3)
    expected = (ConfusedPair("b", "c", 2, 0.5), ConfusedPair("a", "b", 2, 0.2), ConfusedPair("c", "a", 1, 1 / 6))
    assert most_confused(matrix, CLASSES) == expected
    assert most_confused(matrix, CLASSES, limit=1) == expected[:1]
    assert most_confused(confusion_matrix(labels, labels, 3), CLASSES) == ()
