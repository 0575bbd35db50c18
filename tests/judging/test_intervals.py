"""Intervals: published values, and coverage of what they are to cover."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom, binomtest

from tellapart.judging.intervals import Estimate, bootstrap_confusion, bootstrap_mean, wilson
from tellapart.judging.metrics import macro_f1

MATRIX = np.array([[30, 10], [5, 25]])


@given(n=st.integers(1, 100_000), part=st.floats(0, 1))
def test_wilson_equals_scipy(n: int, part: float) -> None:
    successes = round(part * n)
    expected = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    estimate = wilson(successes, n)
    assert estimate.low == pytest.approx(expected.low, abs=1e-12)
    assert estimate.high == pytest.approx(expected.high, abs=1e-12)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_the_values_published_by_newcombe(successes: int, n: int, low: float, high: float) -> None:
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
    estimate = wilson(successes, n)
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)
    assert estimate.value == successes / n


@pytest.mark.parametrize("n", [1, 2, 20, 10_000])
def test_wilson_stays_a_proportion_and_mirrors(n: int) -> None:
    for successes in {0, 1, n // 2, n}:
        estimate, mirrored = wilson(successes, n), wilson(n - successes, n)
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        assert estimate.low < estimate.high
        assert estimate.low == pytest.approx(1 - mirrored.high, abs=1e-12)


@pytest.mark.parametrize("truth", [0.3, 0.5, 0.8, 0.9])
@pytest.mark.parametrize("n", [100, 372])
def test_wilson_covers_the_truth_95_times_in_100(n: int, truth: float) -> None:
    # Exactly, by summing over every number of successes there can be: no chance is involved.
    estimates = [wilson(successes, n) for successes in range(n + 1)]
    covers = np.array([estimate.low <= truth <= estimate.high for estimate in estimates])
    chances = binom.pmf(np.arange(n + 1), n, truth)
    assert 0.93 <= chances[covers].sum() <= 0.97


def test_bootstrap_mean_covers_the_truth_95_times_in_100() -> None:
    rng = np.random.default_rng(7)
    strata = np.repeat([0, 1, 2], [150, 100, 50])
    scales = np.array([1.0, 2.0, 0.5])[strata]  # losses look like this: skewed, and different by class
    truth = scales.mean()
    covered = 0
    for _ in range(1_000):
        estimate = bootstrap_mean(rng.exponential(scales), strata, rng=rng, resamples=600)
        covered += estimate.low <= truth <= estimate.high
    assert 930 <= covered <= 970


def test_bootstrap_confusion_covers_the_truth_95_times_in_100() -> None:
    rng = np.random.default_rng(7)
    totals = np.array([150, 100, 50])
    shares = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    truth = float(macro_f1(np.round(totals[:, np.newaxis] * shares).astype(np.int64)))
    covered = 0
    for matrix in rng.multinomial(totals, shares, size=(1_000, 3)):
        estimate = bootstrap_confusion(matrix, macro_f1, rng=rng, resamples=1_000)
        covered += estimate.low <= truth <= estimate.high
    assert 930 <= covered <= 970


def test_strata_keep_their_sizes() -> None:
    # Within each class all values are equal, so every resample has the same mean: the width is rounding.
    values, strata = np.repeat([1.0, 9.0], 50), np.repeat([0, 1], 50)
    estimate = bootstrap_mean(values, strata, rng=np.random.default_rng(0))
    assert estimate == Estimate(5.0, 5.0, 5.0)


def test_drawing_in_portions_is_drawing_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.judging.intervals.AT_ONCE", 700)
    seen: list[int] = []

    def statistic(confusions: NDArray[np.int64]) -> NDArray[np.float64]:
        seen.append(len(confusions))
        assert (confusions.sum(axis=2) == [40, 30]).all()
        return macro_f1(confusions)

    bootstrap_confusion(MATRIX, statistic, rng=np.random.default_rng(0), resamples=1_000)
    assert sum(seen[:-1]) == 1_000  # the last call is the matrix itself
    assert max(seen) == 175


def test_more_pictures_make_a_narrower_interval() -> None:
    widths = []
    for times in (1, 10, 100):
        estimate = bootstrap_confusion(times * MATRIX, macro_f1, rng=np.random.default_rng(0))
        widths.append(estimate.high - estimate.low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]
