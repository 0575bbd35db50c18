"""Thresholds between two classes: curves equal scikit-learn's, choices equal those of an exhaustive search."""

from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_recall_curve, roc_curve

from tellapart.errors import DatasetError, RecipeError
from tellapart.judging.intervals import wilson
from tellapart.judging.thresholds import (
    NEVER,
    Criterion,
    choose_threshold,
    midpoint_below,
    precision_recall_points,
    roc_points,
)

Case = tuple[NDArray[np.int64], NDArray[np.float64]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Labels of both classes, and scores with ties, certainties and near-ties."""
    n = draw(st.integers(2, 25))
    labels = draw(npst.arrays(np.int64, n, elements=st.integers(0, 1)))
    labels[:2] = [0, 1]
    scores = draw(npst.arrays(np.float64, n, elements=st.sampled_from([0.0, 0.2, 0.5, np.nextafter(0.5, 1), 0.9, 1.0])))
    return labels, scores


@given(cases())
def test_curves_equal_those_of_scikit_learn(case: Case) -> None:
    labels, scores = case
    false, true, values = roc_curve(labels, scores, drop_intermediate=False)
    roc = roc_points(labels, scores)
    assert roc is not None
    np.testing.assert_allclose(roc.false_positive_rate, false, atol=1e-12)
    np.testing.assert_allclose(roc.true_positive_rate, true, atol=1e-12)
    np.testing.assert_array_equal(roc.threshold, values)
    precision, recall, values = precision_recall_curve(labels, scores)
    points = precision_recall_points(labels, scores)
    assert points is not None
    np.testing.assert_allclose(points.precision, precision, atol=1e-12)
    np.testing.assert_allclose(points.recall, recall, atol=1e-12)
    np.testing.assert_array_equal(points.threshold, values)


def test_one_class_against_the_rest_may_be_bool_labels_and_float32_scores() -> None:
    rng = np.random.default_rng(0)
    labels, probs = rng.integers(3, size=50), rng.random((50, 3)).astype(np.float32)
    as_bool, as_int = roc_points(labels == 2, probs[:, 2]), roc_points((labels == 2).astype(np.int64), probs[:, 2])
    assert as_bool is not None
    assert as_int is not None
    np.testing.assert_array_equal(as_bool.true_positive_rate, as_int.true_positive_rate)


def test_an_absent_class_has_no_curves() -> None:
    scores = np.array([0.1, 0.7])
    assert roc_points(np.array([0, 0]), scores) is None
    assert roc_points(np.array([1, 1]), scores) is None
    assert precision_recall_points(np.array([0, 0]), scores) is None
    assert precision_recall_points(np.array([1, 1]), scores) is not None


@settings(max_examples=50, deadline=None)  # scikit-learn takes milliseconds for each threshold
@given(cases(), st.sampled_from(["f1", "youden", "cost"]), st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_no_other_threshold_would_be_better(case: Case, criterion: Criterion, prices: list[int]) -> None:
    labels, scores = case
    costs = np.array(prices, dtype=np.float64).reshape(2, 2)

    def utility(value: float) -> float:
        predicted = (scores >= value).astype(np.int64)
        if criterion == "f1":
            return float(f1_score(labels, predicted, zero_division=0))
        if criterion == "youden":
            return float(2 * balanced_accuracy_score(labels, predicted) - 1)
        return -float(costs[labels, predicted].mean())

    chosen = choose_threshold(labels, scores, criterion=criterion, costs=costs)
    chosen_utility = utility(chosen.value)
    assert chosen_utility == pytest.approx(max(utility(value) for value in (*scores, NEVER)), abs=1e-12)
    assert chosen.objective == pytest.approx(-chosen_utility if criterion == "cost" else chosen_utility, abs=1e-12)


def test_values_equal_those_computed_by_hand() -> None:
    labels = np.array([0, 0, 0, 0, 1, 0, 1, 1])
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9])
    chosen = choose_threshold(labels, scores)
    assert chosen.value == pytest.approx(0.45)
    assert chosen.objective == pytest.approx(6 / 7)
    assert (chosen.precision, chosen.recall, chosen.specificity) == (wilson(3, 4), wilson(3, 3), wilson(4, 5))
    dear_alarms = choose_threshold(labels, scores, criterion="cost", costs=np.array([[0.0, 5.0], [1.0, 0.0]]))
    assert dear_alarms.value == pytest.approx(0.7)
    assert dear_alarms.objective == pytest.approx(1 / 8)


def test_no_image_is_positive_when_false_alarms_cost_too_much() -> None:
    chosen = choose_threshold(
        np.array([0, 1]), np.array([1.0, 1.0]), criterion="cost", costs=np.array([[0.0, 9.0], [1.0, 0.0]])
    )
    assert chosen.value == NEVER > 1
    assert chosen.precision is None
    assert (chosen.recall.value, chosen.specificity.value, chosen.objective) == (0, 1, 0.5)


def test_a_rare_class_is_found_that_a_threshold_of_one_half_misses() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [980, 20])
    scores = np.where(labels == 1, rng.uniform(0.1, 0.45, 1_000), rng.uniform(0.0, 0.12, 1_000))
    never = np.mean((scores >= 0.5) == labels)
    chosen = choose_threshold(labels, scores)
    assert never == 0.98  # with not one of them found
    assert chosen.recall.value > 0.8
    assert chosen.precision is not None
    assert chosen.precision.value > 0.8


def test_the_midpoint_is_between_adjacent_values() -> None:
    values = np.array([np.nextafter(0.5, 1), 0.5, 0.1])
    assert values[0] >= midpoint_below(values, 0) > values[1]
    assert midpoint_below(values, 1) == pytest.approx(0.3)
    assert midpoint_below(values, 2) == 0


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([0, 0, 0], "of 3 images 0 are positive .* 3 negative"),
        ([1, 1, 1], "of 3 images 3 are positive .* 0 negative"),
        ([0, 1, 2], "of 3 images 1 are positive .* 1 negative .* no others"),
    ],
)
def test_one_class_or_three_are_refused(labels: list[int], sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        choose_threshold(np.array(labels), np.array([0.1, 0.2, 0.3]))


def test_unknown_criteria_and_absent_costs_are_refused() -> None:
    labels, scores = np.array([0, 1]), np.array([0.1, 0.2])
    with pytest.raises(RecipeError, match="'yuden': did you mean youden"):
        choose_threshold(labels, scores, criterion=cast("Criterion", "yuden"))
    with pytest.raises(RecipeError, match="there are none"):
        choose_threshold(labels, scores, criterion="cost")
    with pytest.raises(RecipeError, match=r"shape \(3, 3\)"):
        choose_threshold(labels, scores, criterion="cost", costs=np.zeros((3, 3)))
