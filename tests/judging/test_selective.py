"""Selective classification: thresholds equal those of an exhaustive search; goals are parsed or refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from tellapart.errors import DatasetError, RecipeError
from tellapart.judging.intervals import wilson
from tellapart.judging.selective import coverage_curve, find_threshold, is_accepted, parse_goal

Case = tuple[NDArray[np.int64], NDArray[np.floating]]

LABELS = np.zeros(8, dtype=np.int64)
FIRST = np.array([0.99, 0.95, 0.9, 0.1, 0.8, 0.8, 0.3, 0.6])  # correct except the fourth and the seventh
PROBS = np.stack([FIRST, 1 - FIRST], axis=1)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Labels and probabilities of two to four classes, float32 or float64, with ties."""
    n, k = draw(st.integers(1, 20)), draw(st.integers(2, 4))
    labels = draw(npst.arrays(np.int64, n, elements=st.integers(0, k - 1)))
    weights = draw(npst.arrays(np.float64, (n, k), elements=st.sampled_from([1e-9, 1.0, 2.0, 7.0])))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    return labels, (weights / weights.sum(axis=1, keepdims=True)).astype(kind)


@given(cases())
def test_the_curve_has_the_coverage_and_accuracy_of_each_threshold(case: Case) -> None:
    labels, probs = case
    correct = probs.argmax(axis=1) == labels
    curve = coverage_curve(labels, probs)
    for value, coverage, accuracy in zip(curve.threshold, curve.coverage, curve.accuracy, strict=True):
        accepted = is_accepted(probs, value)
        assert coverage == accepted.mean()
        assert accuracy == correct[accepted].mean()
    assert curve.coverage[-1] == 1
    assert (np.diff(curve.threshold) < 0).all()
    assert (np.diff(curve.coverage) > 0).all()


@given(cases(), st.floats(0.01, 1))
def test_a_wanted_accuracy_accepts_as_many_images_as_possible(case: Case, share: float) -> None:
    labels, probs = case
    correct = probs.argmax(axis=1) == labels
    tried = [is_accepted(probs, value) for value in np.unique(probs.max(axis=1))]
    good = [accepted.mean() for accepted in tried if correct[accepted].mean() >= share]
    if not good:
        with pytest.raises(DatasetError, match="no threshold makes"):
            find_threshold(labels, probs, accuracy=share)
        return
    option = find_threshold(labels, probs, accuracy=share)
    accepted = is_accepted(probs, option.threshold)
    assert option.coverage.value == accepted.mean() == max(good)
    assert option.accuracy.value == correct[accepted].mean() >= share


@given(cases(), st.floats(0.01, 1))
def test_a_wanted_coverage_accepts_as_few_images_as_possible(case: Case, share: float) -> None:
    labels, probs = case
    option = find_threshold(labels, probs, coverage=share)
    shares = [is_accepted(probs, value).mean() for value in np.unique(probs.max(axis=1))]
    assert option.coverage.value == min(tried for tried in shares if tried >= share)
    assert option.coverage.value == is_accepted(probs, option.threshold).mean()


def test_values_equal_those_computed_by_hand() -> None:
    curve = coverage_curve(LABELS, PROBS)
    np.testing.assert_allclose(curve.threshold, [0.99, 0.95, 0.9, 0.8, 0.7, 0.6])
    np.testing.assert_allclose(curve.coverage, [1 / 8, 2 / 8, 4 / 8, 6 / 8, 7 / 8, 1])
    np.testing.assert_allclose(curve.accuracy, [1, 1, 3 / 4, 5 / 6, 5 / 7, 6 / 8])
    option = find_threshold(LABELS, PROBS, accuracy=0.8)
    assert option.threshold == pytest.approx(0.75)  # midway between the last accepted and the first rejected
    assert (option.coverage, option.accuracy) == (wilson(6, 8), wilson(5, 6))
    assert option.goal == "accuracy=0.8"


def test_no_image_is_rejected_when_all_meet_the_goal() -> None:
    for option in (find_threshold(LABELS, PROBS, accuracy=0.75), find_threshold(LABELS, PROBS, coverage=1.0)):
        assert option.threshold == 0
        assert option.coverage.value == 1
        assert option.accuracy.value == 0.75


def test_images_of_equal_confidence_are_accepted_together() -> None:
    probs = np.tile([0.7, 0.3], (4, 1))
    option = find_threshold(np.array([0, 0, 0, 1]), probs, coverage=0.5)
    assert (option.threshold, option.coverage.value, option.accuracy.value) == (0, 1, 0.75)


def test_rounding_moves_no_image_over_the_threshold() -> None:
    threshold = find_threshold(LABELS, PROBS, accuracy=0.8).threshold
    for other in (PROBS * (1 + 1e-6), PROBS * (1 - 1e-6), PROBS.astype(np.float32)):
        np.testing.assert_array_equal(is_accepted(other, threshold), is_accepted(PROBS, threshold))


def test_adjacent_float32_values_are_distinguished() -> None:
    start = np.float32(0.75)
    tops = [start, np.nextafter(start, np.float32(1)), np.nextafter(np.nextafter(start, np.float32(1)), np.float32(1))]
    for low, high in itertools.pairwise(tops):
        probs = np.array([[low, 0.25], [high, 0.25]], dtype=np.float32)
        threshold = find_threshold(np.array([1, 0]), probs, accuracy=1).threshold
        assert is_accepted(probs, threshold).tolist() == [False, True]


def test_an_unreachable_accuracy_is_refused_with_the_best_one() -> None:
    labels = np.array([1, 0, 0, 1])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    with pytest.raises(DatasetError, match=r"makes 0\.97 of .* the best is 0\.6667, for the most confident 75\.0% of"):
        find_threshold(labels, probs, accuracy=0.97)


def test_goals_are_parsed() -> None:
    assert parse_goal("accuracy=0.97") == {"accuracy": 0.97}
    assert parse_goal(" coverage = .9 ") == {"coverage": 0.9}
    goal = parse_goal("coverage=0.5")
    assert find_threshold(LABELS, PROBS, coverage=goal["coverage"]).coverage.value == 0.5


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0.97", "'0.97', expected a name and a share"),
        ("", "expected a name and a share"),
        ("acuracy=0.97", "'acuracy': did you mean accuracy"),
        ("accuracy=high", "wanted accuracy is 'high', expected a share"),
        ("accuracy=", "wanted accuracy is ''"),
        ("accuracy=97", r"is 97, expected a share above 0 and up to 1: 97 % is 0\.97"),
        ("coverage=0", "wanted coverage is 0, expected a share above 0"),
        ("coverage=-1", "is -1"),
        ("coverage=nan", "is nan"),
        ("coverage=inf", "is inf"),
    ],
)
def test_invalid_goals_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        parse_goal(text)


@pytest.mark.parametrize("goals", [{}, {"accuracy": 0.9, "coverage": 0.9}, {"accuracy": 1.1}, {"coverage": 0.0}])
def test_exactly_one_valid_goal_is_required(goals: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="expected"):
        find_threshold(LABELS, PROBS, accuracy=goals.get("accuracy"), coverage=goals.get("coverage"))
