"""Scores of classes: equal to scikit-learn's on random and degenerate matrices, None where undefined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from sklearn import metrics as sklearn

from tellapart.judging import per_class
from tellapart.judging.confusion import ConfusionCells, class_counts, confusion_matrix
from tellapart.judging.intervals import bootstrap_confusion, wilson
from tellapart.judging.per_class import class_scores, estimate_f1

Case = tuple[NDArray[np.int64], NDArray[np.int64], int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """True and predicted classes, int64 (n,), of k: random, absent, perfect and constant ones."""
    n, k = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    labels = draw(npst.arrays(np.int64, n, elements=st.integers(0, draw(st.integers(1, k)) - 1)))
    predicted = draw(npst.arrays(np.int64, n, elements=st.integers(0, draw(st.integers(1, k)) - 1)))
    return labels, labels if draw(st.integers(0, 5)) == 0 else predicted, k


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(max_examples=150, deadline=None)
@given(cases())
def test_scores_equal_those_of_scikit_learn(case: Case) -> None:
    labels, predicted, k = case
    counts = class_counts(confusion_matrix(labels, predicted, k))
    theirs = sklearn.precision_recall_fscore_support(labels, predicted, labels=range(k), zero_division=0)
    for ours, expected in zip((per_class.precision, per_class.recall, per_class.f1), theirs, strict=False):
        np.testing.assert_allclose(ours(counts), expected, atol=1e-12)
    support = theirs[3]
    means = (per_class.mean_precision, per_class.mean_recall, per_class.mean_f1)
    for ours, expected in zip(means, theirs, strict=False):
        assert float(ours(counts)) == pytest.approx(expected[support > 0].mean(), abs=1e-12)
    assert float(per_class.weighted_f1(counts)) == pytest.approx(np.average(theirs[2], weights=support), abs=1e-12)
    weighted = np.average(theirs[0], weights=support)
    assert float(per_class.weighted_precision(counts)) == pytest.approx(weighted, abs=1e-12)
    coefficient = sklearn.matthews_corrcoef(labels, predicted)
    assert float(per_class.matthews(counts)) == pytest.approx(coefficient, abs=1e-12)
    if set(predicted) <= set(labels):  # scikit-learn warns of others
        balanced = sklearn.balanced_accuracy_score(labels, predicted)
        assert float(per_class.mean_recall(counts)) == pytest.approx(balanced, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_averages_equal_those_of_scikit_learn(case: Case) -> None:
    labels, predicted, k = case
    counts = class_counts(confusion_matrix(labels, predicted, k))
    present = np.unique(labels)
    theirs = sklearn.precision_recall_fscore_support(
        labels, predicted, labels=present, average="macro", zero_division=0
    )
    for ours, expected in zip(
        (per_class.mean_precision, per_class.mean_recall, per_class.mean_f1), theirs, strict=False
    ):
        assert float(ours(counts)) == pytest.approx(expected, abs=1e-12)
    weighted = sklearn.f1_score(labels, predicted, average="weighted", zero_division=0)
    assert float(per_class.weighted_f1(counts)) == pytest.approx(weighted, abs=1e-12)


def test_matthews_of_many_images_does_not_overflow() -> None:
    counts = class_counts(np.array([[4_000_000_000, 1_000_000_000], [1_000_000_000, 4_000_000_000]]))
    assert float(per_class.matthews(counts)) == pytest.approx(0.6)


def test_undefined_scores_are_none_and_defined_ones_have_an_interval() -> None:
    matrix = np.array([[6, 0, 2, 0], [1, 0, 3, 0], [0, 0, 0, 0], [0, 0, 0, 5]])
    nothing = [None] * 4
    first, missed, absent, last = class_scores(class_counts(matrix), ("a", "b", "c", "d"), nothing, nothing)
    assert (first.precision, first.recall) == (wilson(6, 7), wilson(6, 8))
    assert (missed.precision, missed.recall) == (None, wilson(0, 4))
    assert missed.f1 is not None
    assert missed.f1.value == 0
    assert (absent.n, absent.precision, absent.recall, absent.f1) == (0, wilson(0, 5), None, None)
    assert last.f1 is not None
    assert (last.name, last.n, last.f1.value, last.f1.high) == ("d", 5, 1, 1)
    assert last.f1.low < 0.8
    assert absent.as_json()["recall"] is None
    assert first.as_json()["recall"] == wilson(6, 8).as_json()


@given(correct=st.integers(0, 50), missed=st.integers(0, 50), false=st.integers(0, 50))
def test_f1_is_between_its_ends_and_is_f1(correct: int, missed: int, false: int) -> None:
    if correct + missed == 0:
        return
    estimate = estimate_f1(correct, correct + missed, correct + false)
    assert estimate.value == pytest.approx(2 * correct / (2 * correct + missed + false))
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high


@pytest.mark.parametrize(("recall", "false"), [(0.85, 0.02), (0.6, 0.05), (0.95, 0.01)])
def test_the_interval_of_f1_covers_the_truth_95_times_in_100(recall: float, false: float) -> None:
    rng = np.random.default_rng(11)
    true, rest = 100, 900
    correct, incorrect = rng.binomial(true, recall, 1_000).tolist(), rng.binomial(rest, false, 1_000).tolist()
    truth = 2 * recall * true / (true + recall * true + false * rest)
    estimates = [estimate_f1(a, true, a + b) for a, b in zip(correct, incorrect, strict=True)]
    assert 930 <= sum(each.low <= truth <= each.high for each in estimates) <= 970


@pytest.mark.parametrize(("correct", "incorrect"), [(0.085, 0.018), (0.06, 0.05), (0.3, 0.03)])
def test_the_interval_of_precision_covers_the_truth_95_times_in_100(correct: float, incorrect: float) -> None:
    rng = np.random.default_rng(11)
    truth = correct / (correct + incorrect)
    drawn = rng.multinomial(1_000, [correct, incorrect, 1 - correct - incorrect], size=1_000).tolist()
    estimates = [wilson(a, a + b) for a, b, _ in drawn]
    assert 930 <= sum(each.low <= truth <= each.high for each in estimates) <= 970


def test_the_interval_of_f1_is_close_to_the_bootstraps() -> None:
    matrix = np.array([[80, 20], [30, 270]])
    statistics = {"f1": lambda counts: per_class.f1(counts)[..., 0]}
    drawn = bootstrap_confusion(ConfusionCells.of_matrix(matrix), statistics, rng=np.random.default_rng(0))["f1"]
    estimate = estimate_f1(80, 100, 110)
    assert estimate.value == pytest.approx(drawn.value)
    assert [estimate.low, estimate.high] == pytest.approx([drawn.low, drawn.high], abs=0.015)
