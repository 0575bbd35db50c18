"""Scores of classes: equal to scikit-learn's on random and degenerate matrices, absent where not defined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from sklearn import metrics as sklearn

from tellapart.judging import per_class
from tellapart.judging.confusion import class_counts, confusion
from tellapart.judging.intervals import bootstrap_confusion, wilson
from tellapart.judging.per_class import class_scores, f1_estimate

Case = tuple[NDArray[np.int64], NDArray[np.int64], int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """True and predicted classes, int64 (n,), of k: random, absent, perfect and constant ones."""
    n, k = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    labels = draw(npst.arrays(np.int64, n, elements=st.integers(0, draw(st.integers(1, k)) - 1)))
    predicted = draw(npst.arrays(np.int64, n, elements=st.integers(0, draw(st.integers(1, k)) - 1)))
    return labels, labels if draw(st.integers(0, 5)) == 0 else predicted, k


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(max_examples=1_000, deadline=None)
@given(cases())
def test_scores_equal_those_of_scikit_learn(case: Case) -> None:
    labels, predicted, k = case
    counts = class_counts(confusion(labels, predicted, k))
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
    counts = class_counts(confusion(labels, predicted, k))
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


def test_what_is_not_defined_is_none_and_what_is_has_its_interval() -> None:
    matrix = np.array([[6, 0, 2, 0], [1, 0, 3, 0], [0, 0, 0, 0], [0, 0, 0, 5]])
    nothing = [None] * 4
    first, missed, absent, last = class_scores(matrix, ("a", "b", "c", "d"), nothing, nothing)
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


@given(right=st.integers(0, 50), missed=st.integers(0, 50), taken=st.integers(0, 50))
def test_f1_is_between_its_ends_and_is_f1(right: int, missed: int, taken: int) -> None:
    if right + missed == 0:
        return
    found = f1_estimate(right, right + missed, right + taken)
    assert found.value == pytest.approx(2 * right / (2 * right + missed + taken))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


@pytest.mark.parametrize(("recall", "taken"), [(0.85, 0.02), (0.6, 0.05), (0.95, 0.01)])
def test_the_interval_of_f1_covers_the_truth_95_times_in_100(recall: float, taken: float) -> None:
    rng = np.random.default_rng(11)
    own, others = 100, 900
    right, wrong = rng.binomial(own, recall, 1_000).tolist(), rng.binomial(others, taken, 1_000).tolist()
    truth = 2 * recall * own / (own + recall * own + taken * others)
    found = [f1_estimate(a, own, a + b) for a, b in zip(right, wrong, strict=True)]
    assert 930 <= sum(one.low <= truth <= one.high for one in found) <= 970


@pytest.mark.parametrize(("right", "wrong"), [(0.085, 0.018), (0.06, 0.05), (0.3, 0.03)])
def test_the_interval_of_precision_covers_the_truth_95_times_in_100(right: float, wrong: float) -> None:
    rng = np.random.default_rng(11)
    truth = right / (right + wrong)
    drawn = rng.multinomial(1_000, [right, wrong, 1 - right - wrong], size=1_000).tolist()
    found = [wilson(a, a + b) for a, b, _ in drawn]
    assert 930 <= sum(one.low <= truth <= one.high for one in found) <= 970


def test_the_interval_of_f1_is_close_to_the_bootstraps() -> None:
    matrix = np.array([[80, 20], [30, 270]])
    statistics = {"f1": lambda counts: per_class.f1(counts)[..., 0]}
    drawn = bootstrap_confusion(matrix, statistics, rng=np.random.default_rng(0))["f1"]
    found = f1_estimate(80, 100, 110)
    assert found.value == pytest.approx(drawn.value)
    assert [found.low, found.high] == pytest.approx([drawn.low, drawn.high], abs=0.015)
