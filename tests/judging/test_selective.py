"""Rejection: thresholds equal those of trying every one, and goals are read or refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from tellapart.errors import DatasetError, RecipeError
from tellapart.judging.intervals import wilson
from tellapart.judging.selective import accepted, coverage_curve, threshold_for, wanted

Case = tuple[NDArray[np.int64], NDArray[np.floating]]

LABELS = np.zeros(8, dtype=np.int64)
FIRST = np.array([0.99, 0.95, 0.9, 0.1, 0.8, 0.8, 0.3, 0.6])  # right but for the fourth and the seventh
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
def test_the_curve_is_what_each_threshold_gives(case: Case) -> None:
    labels, probs = case
    right = probs.argmax(axis=1) == labels
    curve = coverage_curve(labels, probs)
    for value, coverage, accuracy in zip(curve.threshold, curve.coverage, curve.accuracy, strict=True):
        kept = accepted(probs, value)
        assert coverage == kept.mean()
        assert accuracy == right[kept].mean()
    assert curve.coverage[-1] == 1
    assert (np.diff(curve.threshold) < 0).all()
    assert (np.diff(curve.coverage) > 0).all()


@given(cases(), st.floats(0.01, 1))
def test_a_wanted_accuracy_accepts_as_many_as_can_be(case: Case, share: float) -> None:
    labels, probs = case
    right = probs.argmax(axis=1) == labels
    tried = [accepted(probs, value) for value in np.unique(probs.max(axis=1))]
    good = [kept.mean() for kept in tried if right[kept].mean() >= share]
    if not good:
        with pytest.raises(DatasetError, match="no threshold makes"):
            threshold_for(labels, probs, accuracy=share)
        return
    found = threshold_for(labels, probs, accuracy=share)
    kept = accepted(probs, found.threshold)
    assert found.coverage.value == kept.mean() == max(good)
    assert found.accuracy.value == right[kept].mean() >= share


@given(cases(), st.floats(0.01, 1))
def test_a_wanted_coverage_accepts_no_more_than_it_must(case: Case, share: float) -> None:
    labels, probs = case
    found = threshold_for(labels, probs, coverage=share)
    shares = [accepted(probs, value).mean() for value in np.unique(probs.max(axis=1))]
    assert found.coverage.value == min(one for one in shares if one >= share)
    assert found.coverage.value == accepted(probs, found.threshold).mean()


def test_numbers_done_by_hand() -> None:
    curve = coverage_curve(LABELS, PROBS)
    np.testing.assert_allclose(curve.threshold, [0.99, 0.95, 0.9, 0.8, 0.7, 0.6])
    np.testing.assert_allclose(curve.coverage, [1 / 8, 2 / 8, 4 / 8, 6 / 8, 7 / 8, 1])
    np.testing.assert_allclose(curve.accuracy, [1, 1, 3 / 4, 5 / 6, 5 / 7, 6 / 8])
    found = threshold_for(LABELS, PROBS, accuracy=0.8)
    assert found.threshold == pytest.approx(0.75)  # midway between the last accepted and the first rejected
    assert (found.coverage, found.accuracy) == (wilson(6, 8), wilson(5, 6))
    assert found.wanted == "accuracy=0.8"


def test_nothing_is_rejected_where_nothing_need_be() -> None:
    for found in (threshold_for(LABELS, PROBS, accuracy=0.75), threshold_for(LABELS, PROBS, coverage=1.0)):
        assert found.threshold == 0
        assert found.coverage.value == 1
        assert found.accuracy.value == 0.75


def test_all_equally_sure_are_accepted_together() -> None:
    probs = np.tile([0.7, 0.3], (4, 1))
    found = threshold_for(np.array([0, 0, 0, 1]), probs, coverage=0.5)
    assert (found.threshold, found.coverage.value, found.accuracy.value) == (0, 1, 0.75)


def test_rounding_of_the_last_digit_moves_no_image_over_the_threshold() -> None:
    threshold = threshold_for(LABELS, PROBS, accuracy=0.8).threshold
    for other in (PROBS * (1 + 1e-6), PROBS * (1 - 1e-6), PROBS.astype(np.float32)):
        np.testing.assert_array_equal(accepted(other, threshold), accepted(PROBS, threshold))


def test_neighbours_in_float32_are_told_apart() -> None:
    start = np.float32(0.75)
    tops = [start, np.nextafter(start, np.float32(1)), np.nextafter(np.nextafter(start, np.float32(1)), np.float32(1))]
    for low, high in itertools.pairwise(tops):
        probs = np.array([[low, 0.25], [high, 0.25]], dtype=np.float32)
        threshold = threshold_for(np.array([1, 0]), probs, accuracy=1).threshold
        assert accepted(probs, threshold).tolist() == [False, True]


def test_an_accuracy_out_of_reach_names_the_best_there_is() -> None:
    labels = np.array([1, 0, 0, 1])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    with pytest.raises(DatasetError, match=r"makes 0\.97 of .* the best is 0\.6667, for the surest 75\.0% of"):
        threshold_for(labels, probs, accuracy=0.97)


def test_goals_are_read() -> None:
    assert wanted("accuracy=0.97") == {"accuracy": 0.97}
    assert wanted(" coverage = .9 ") == {"coverage": 0.9}
    assert threshold_for(LABELS, PROBS, **wanted("coverage=0.5")).coverage.value == 0.5


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
def test_goals_that_are_none_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        wanted(text)


@pytest.mark.parametrize("goals", [{}, {"accuracy": 0.9, "coverage": 0.9}, {"accuracy": 1.1}, {"coverage": 0.0}])
def test_one_goal_that_can_be_is_needed(goals: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="expected"):
        threshold_for(LABELS, PROBS, **goals)
