"""Chance's interval of the balanced accuracy."""

import numpy as np
import pytest

from tellapart.judging.chance import chance_interval


def test_one_class_for_everything_is_exactly_chance() -> None:
    chance = chance_interval(np.array([0] * 90 + [1] * 10), np.zeros(100, int))
    assert (chance.balanced_accuracy, chance.low, chance.high) == pytest.approx((0.5, 0.5, 0.5))
    assert chance.explains


def test_what_was_learned_is_beyond_chance() -> None:
    labels = np.arange(60) % 3
    chance = chance_interval(labels, np.where(np.arange(60) < 40, labels, (labels + 1) % 3))
    assert chance.balanced_accuracy == pytest.approx(2 / 3)
    assert chance.low < 1 / 3 < chance.high < 0.5
    assert not chance.explains


def test_a_few_images_show_nothing_even_where_all_are_correct() -> None:
    labels = np.array([0, 1, 0, 1])
    assert chance_interval(labels, labels).explains


def test_guesses_are_called_chance_as_often_as_the_interval_promises() -> None:
    rng = np.random.default_rng(0)
    drawn = [chance_interval(rng.integers(0, 4, 80), rng.integers(0, 4, 80), seed=seed) for seed in range(100)]
    assert 93 <= sum(chance.explains for chance in drawn) <= 100


def test_classes_without_images_do_not_count() -> None:
    labels = np.array([0, 0, 5, 5])
    assert chance_interval(labels, np.array([0, 1, 5, 5])).balanced_accuracy == pytest.approx(0.75)
