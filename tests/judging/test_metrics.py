"""Metrics: equal to scikit-learn's on random and degenerate cases, and to values computed by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from sklearn import metrics as sklearn

from tellapart.judging import metrics
from tellapart.judging.confusion import confusion_matrix

Case = tuple[NDArray[np.int64], NDArray[np.float64]]


@st.composite
def cases(draw: st.DrawFn, least_classes: int = 2) -> Case:
    """Labels int (n,) and probabilities float64 (n, k) with ties, zeros, certainties and absent classes."""
    n, k = draw(st.integers(1, 30)), draw(st.integers(least_classes, 6))
    present = draw(st.integers(1, k))
    labels = draw(npst.arrays(np.int64, n, elements=st.integers(0, present - 1)))
    weights = draw(npst.arrays(np.float64, (n, k), elements=st.sampled_from([0.0, 1.0, 2.0, 1e-20, 0.3])))
    weights[weights.sum(axis=1) == 0] = 1  # uniform
    if draw(st.booleans()):  # perfect
        weights = np.eye(k)[labels]
    return labels, weights / weights.sum(axis=1, keepdims=True)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_metrics_equal_those_of_scikit_learn(case: Case) -> None:
    labels, probs = case
    k = probs.shape[1]
    same(metrics.accuracy(labels, probs), sklearn.accuracy_score(labels, probs.argmax(axis=1)))
    same(metrics.log_loss(labels, probs), sklearn.log_loss(labels, probs, labels=range(k)))
    same(metrics.brier(labels, probs), sklearn.brier_score_loss(labels, probs, labels=range(k)))


@settings(max_examples=200, deadline=None)
@given(cases())
def test_confusion_and_macro_f1_equal_those_of_scikit_learn(case: Case) -> None:
    labels, probs = case
    k, predicted = probs.shape[1], probs.argmax(axis=1)
    counts = confusion_matrix(labels, predicted, k)
    np.testing.assert_array_equal(counts, sklearn.confusion_matrix(labels, predicted, labels=range(k)))
    present = np.unique(labels)
    theirs = sklearn.f1_score(labels, predicted, labels=present, average="macro", zero_division=0)
    same(float(metrics.macro_f1(counts)), theirs)


@settings(max_examples=150, deadline=None)
@given(cases(least_classes=4), st.integers(1, 3))
def test_top_k_equals_that_of_scikit_learn(case: Case, k: int) -> None:
    labels, probs = case
    last = probs.shape[1] - 1
    # Of equals scikit-learn takes the last class and tellapart the first, so the classes are reversed.
    theirs = sklearn.top_k_accuracy_score(last - labels, probs[:, ::-1], k=k, labels=range(last + 1))
    same(metrics.top_k_accuracy(labels, probs, k), theirs)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_top_k_grows_from_accuracy_to_one(case: Case) -> None:
    labels, probs = case
    shares = [metrics.top_k_accuracy(labels, probs, k) for k in range(1, probs.shape[1] + 1)]
    assert shares[0] == metrics.accuracy(labels, probs)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_values_equal_those_computed_by_hand() -> None:
    labels = np.array([0, 0, 1, 2])
    probs = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0]])
    counts = confusion_matrix(labels, probs.argmax(axis=1), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert counts.dtype == np.int64
    assert metrics.accuracy(labels, probs) == 3 / 4
    assert metrics.top_k_accuracy(labels, probs, 2) == 1
    assert metrics.log_loss(labels, probs) == pytest.approx((2 * math.log(2) + math.log(4)) / 4, rel=1e-15)
    assert float(metrics.macro_f1(counts)) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3, rel=1e-15)


@settings(max_examples=300, deadline=None)
@given(cases(), st.integers(1, 20))
def test_the_calibration_error_equals_the_sum_over_its_bins(case: Case, bins: int) -> None:
    labels, probs = case
    confidence, correct = probs.max(axis=1), probs.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    expected = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & ((confidence <= high) | (high == 1))  # rounding may exceed 1
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    same(metrics.ece(labels, probs, bins), float(expected))


def test_a_bin_includes_its_upper_edge_and_the_last_one_values_rounded_above_1() -> None:
    top = np.array([0.5, 0.75, 0.75 + 1e-9, 1.0, 1.0 + 1e-7])
    assert metrics.confidence_bins(np.column_stack([top, 1 - top]), 4).tolist() == [1, 2, 3, 3, 3]


def test_the_calibration_error_of_overconfident_and_calibrated_predictions() -> None:
    labels = np.array([0, 0, 0, 1])
    overconfident, calibrated = np.tile([1.0, 0.0], (4, 1)), np.tile([0.75, 0.25], (4, 1))
    assert metrics.ece(labels, overconfident) == 0.25
    assert metrics.ece(labels, calibrated) == 0.0


def test_brier_scores_equal_those_computed_by_hand() -> None:
    assert metrics.brier(np.array([1, 0]), np.array([[0.2, 0.8], [0.5, 0.5]])) == pytest.approx((0.04 + 0.25) / 2)
    assert metrics.brier(np.array([2]), np.array([[0.5, 0.3, 0.2]])) == pytest.approx(0.25 + 0.09 + 0.64)
    assert metrics.brier_scores(np.array([0]), np.array([[0.0, 0.0, 1.0]], dtype=np.float32)).tolist() == [2.0]


def test_no_metric_modifies_its_arguments() -> None:
    labels, probs = np.array([0, 1]), np.array([[0.7, 0.3], [0.6, 0.4]])
    for metric in (metrics.accuracy, metrics.log_loss, metrics.brier, metrics.ece):
        metric(labels, probs)
    assert probs.tolist() == [[0.7, 0.3], [0.6, 0.4]]


def test_macro_f1_leaves_out_a_class_without_images() -> None:
    counts = np.array([[3, 0, 1], [0, 2, 0], [0, 0, 0]])  # one image is predicted as the absent class
    assert float(metrics.macro_f1(counts)) == pytest.approx((6 / 7 + 1) / 2, rel=1e-15)


def test_macro_f1_accepts_a_stack_of_matrices() -> None:
    many = np.random.default_rng(0).integers(1, 9, size=(5, 3, 3))
    np.testing.assert_array_equal(metrics.macro_f1(many), [metrics.macro_f1(matrix) for matrix in many])


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_losses_are_float64_and_finite_at_any_precision(kind: type[np.floating]) -> None:
    probs = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=kind)
    losses = metrics.log_losses(np.array([0, 0]), probs)
    assert losses.dtype == np.float64
    assert [str(loss) for loss in losses] == [str(-math.log(metrics.MIN_PROB)), "0.0"]  # and not -0.0


def same(ours: float, theirs: float) -> None:
    assert ours == pytest.approx(theirs, abs=1e-12, rel=1e-12)
