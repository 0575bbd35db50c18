"""The rare class is as rare as requested, and the images to review are counted correctly."""

import numpy as np

from tellapart.lessons.rare_class import chosen, images_to_review, metrics


def test_each_eight_has_the_requested_number_of_others() -> None:
    labels = np.array([8] * 30 + [1] * 100)
    for per_eight, eights in ((1, 30), (10, 10), (50, 2)):
        selected = labels[chosen(labels, per_eight, np.random.default_rng(0))]
        assert (np.sum(selected == 8), np.sum(selected != 8)) == (eights, eights * per_eight)


def test_images_are_reviewed_until_the_recall_is_reached() -> None:
    is_eight = np.array([True, False, True, False, True, True, False, True])
    score = np.linspace(0.9, 0.1, 8)
    assert images_to_review(is_eight, score) == 6  # four of five
    assert images_to_review(is_eight, -score) == 6


def test_three_metrics_of_a_search() -> None:
    is_eight = np.array([False, False, False, True])
    assert metrics(is_eight, np.array([0.1, 0.2, 0.3, 0.4])) == (0.75, 1.0, 1.0)
    assert metrics(is_eight, np.zeros(4)) == (0.75, 0.5, 0.25)
