"""Areas under curves: equal to scikit-learn's on random and degenerate cases, with intervals of the right coverage."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn import metrics as sklearn

from tellapart.judging.intervals import wilson
from tellapart.judging.ranking import Area, average_precision, class_areas, roc_auc

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Measure = Callable[[Flags, NDArray[np.floating]], Area | None]
MEASURES: list[Measure] = [roc_auc, average_precision]


def cases(count: int) -> Iterator[tuple[Flags, Floats]]:
    """Positives, bool (n,), at least one on each side, and scores: all different, tied, perfect, reversed, constant."""
    rng = np.random.default_rng(2)
    for number in range(count):
        n = int(rng.integers(2, 50))
        positive = rng.random(n) < rng.random()
        positive[:2] = [True, False]
        kinds = [
            rng.random(n),
            rng.integers(0, 4, n) / 4,
            positive + rng.random(n) / 2,
            ~positive * 1.0,
            np.full(n, 0.1),
        ]
        order = rng.permutation(n)
        yield positive[order], kinds[number % len(kinds)][order]


def test_values_equal_those_of_scikit_learn() -> None:
    for positive, scores in cases(200):
        for measure, theirs in ((roc_auc, sklearn.roc_auc_score), (average_precision, sklearn.average_precision_score)):
            area = measure(positive, scores)
            assert area is not None
            assert area.value == pytest.approx(theirs(positive, scores), abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_influence_is_the_derivative_by_an_images_weight(measure: Measure) -> None:
    # scikit-learn's areas take weights; a thousandth more of one image must move them as the influence says.
    theirs = sklearn.roc_auc_score if measure is roc_auc else sklearn.average_precision_score
    for positive, scores in cases(40):
        area = measure(positive, scores)
        assert area is not None
        assert area.influence.sum() == pytest.approx(0, abs=1e-12)
        for i in range(0, len(scores), 7):
            ends = [theirs(positive, scores, sample_weight=1 + step * np.eye(len(scores))[i]) for step in (-1e-4, 1e-4)]
            assert area.influence[i] == pytest.approx((ends[1] - ends[0]) / 2e-4, abs=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_single_class_has_no_area(measure: Measure) -> None:
    assert measure(np.ones(3, dtype=bool), np.arange(3.0)) is None
    assert measure(np.zeros(3, dtype=bool), np.arange(3.0)) is None


@pytest.mark.parametrize("measure", MEASURES)
def test_an_absent_class_is_left_out_of_the_mean(measure: Measure) -> None:
    rng = np.random.default_rng(0)
    labels, probs = rng.integers(0, 2, 50), rng.dirichlet(np.ones(3), 50)
    areas = class_areas(labels, probs, measure)
    assert areas.by_class[2] is None
    assert areas.by_class[0] is not None
    assert areas.by_class[1] is not None
    assert areas.mean is not None
    assert areas.mean.value == pytest.approx((areas.by_class[0].value + areas.by_class[1].value) / 2)
    assert class_areas(np.zeros(5, dtype=np.int64), probs[:5], measure).mean is None


def test_the_macro_mean_equals_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels, probs = np.arange(60) % 4, rng.dirichlet(np.ones(4), 60)
    areas = class_areas(labels, probs, roc_auc).mean
    assert areas is not None
    assert areas.value == pytest.approx(sklearn.roc_auc_score(labels, probs, multi_class="ovr"), abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_perfect_ranking_of_few_images_has_a_wide_interval(measure: Measure) -> None:
    lows = []
    for n in (10, 100, 1_000):
        labels = np.repeat([0, 1], n)
        area = class_areas(labels, np.eye(2)[labels], measure).by_class[1]
        assert area is not None
        assert (area.value, area.high) == (1, 1)
        lows.append(area.low)
    assert lows == sorted(lows)
    assert lows[0] < 0.95 < lows[2] < 1


def test_the_interval_of_a_perfect_ranking_is_that_of_a_proportion() -> None:
    areas = class_areas(np.repeat([0, 1], 10), np.eye(2)[np.repeat([0, 1], 10)], average_precision).by_class[1]
    assert areas == wilson(20, 20)


@pytest.mark.parametrize(("positives", "negatives", "apart"), [(100, 200, 1.5), (100, 900, 2.0), (200, 200, 1.0)])
def test_an_interval_covers_the_truth_95_times_in_100(positives: int, negatives: int, apart: float) -> None:
    rng = np.random.default_rng(9)
    labels = np.repeat([1, 0], [positives, negatives])
    truths = {roc_auc: float(norm.cdf(apart / np.sqrt(2))), average_precision: _precision(positives, negatives, apart)}
    covered = dict.fromkeys(truths, 0)
    for _ in range(2_000):
        scores = rng.normal(size=len(labels)) + apart * labels
        for measure, truth in truths.items():
            areas = class_areas(labels, np.column_stack([-scores, scores]), measure).by_class[1]
            assert areas is not None
            covered[measure] += areas.low <= truth <= areas.high
    assert all(1_860 <= count <= 1_940 for count in covered.values()), covered


def test_the_interval_of_a_mean_covers_the_truth_95_times_in_100() -> None:
    rng = np.random.default_rng(9)

    def scores(labels: NDArray[np.int64]) -> Floats:
        chosen: Floats = rng.normal(size=(len(labels), 3)) + np.array([1.0, 1.5, 2.0])[labels, np.newaxis] * (
            np.arange(3) == labels[:, np.newaxis]
        )
        return chosen

    many, labels = np.repeat([0, 1, 2], [200_000, 100_000, 50_000]), np.repeat([0, 1, 2], [200, 100, 50])
    for measure in MEASURES:
        truth = class_areas(many, scores(many), measure).mean
        assert truth is not None
        covered = 0
        for _ in range(2_000):
            areas = class_areas(labels, scores(labels), measure).mean
            assert areas is not None
            covered += areas.low <= truth.value <= areas.high
        assert 1_860 <= covered <= 1_940


def _precision(positives: int, negatives: int, apart: float) -> float:
    """The area under precision over recall of normal scores, integrated."""
    cuts = np.linspace(-8, 8 + apart, 20_001)
    hits, false = positives * norm.sf(cuts - apart), negatives * norm.sf(cuts)
    return float(np.trapezoid(hits / (hits + false) * norm.pdf(cuts - apart), cuts))
