"""The rare class is as rare as was asked for, and how far somebody must look is counted right."""

import numpy as np

from tellapart.lessons.rare_class import chosen, looked, metrics


def test_there_are_so_many_others_to_each() -> None:
    labels = np.array([8] * 30 + [1] * 100)
    for each, eights in ((1, 30), (10, 10), (50, 2)):
        some = labels[chosen(labels, each, np.random.default_rng(0))]
        assert (np.sum(some == 8), np.sum(some != 8)) == (eights, eights * each)


def test_one_looks_until_the_wanted_share_is_found() -> None:
    found = np.array([True, False, True, False, True, True, False, True])
    score = np.linspace(0.9, 0.1, 8)
    assert looked(found, score) == 6  # four of five
    assert looked(found, -score) == 6


def test_three_metrics_of_a_search() -> None:
    found = np.array([False, False, False, True])
    assert metrics(found, np.array([0.1, 0.2, 0.3, 0.4])) == (0.75, 1.0, 1.0)
    assert metrics(found, np.zeros(4)) == (0.75, 0.5, 0.25)
