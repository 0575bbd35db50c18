"""Intervals: published values, and coverage of the truth."""

import math
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.stats import binom, binomtest

from tellapart.judging import per_class
from tellapart.judging.confusion import ClassCounts, ConfusionCells, class_counts
from tellapart.judging.intervals import (
    Estimate,
    bootstrap_confusion,
    bootstrap_mean,
    bootstrap_means,
    mean_over_folds,
    stratified_variance,
    student_quantile,
    wilson,
    wilson_from_variance,
)

MATRIX = np.array([[30, 10], [5, 25]])
MACRO_F1 = {"f1": per_class.mean_f1}


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
    statistics = {
        "recall": per_class.mean_recall,
        "precision": per_class.mean_precision,
        "f1": per_class.mean_f1,
        "weighted f1": per_class.weighted_f1,
        "matthews": per_class.matthews,
    }
    truths = {
        name: float(statistic(class_counts(totals[:, np.newaxis] * shares))) for name, statistic in statistics.items()
    }
    covered = dict.fromkeys(statistics, 0)
    for matrix in rng.multinomial(totals, shares, size=(1_000, 3)):
        for name, estimate in bootstrap_confusion(
            ConfusionCells.of_matrix(matrix), statistics, rng=rng, resamples=1_000
        ).items():
            covered[name] += estimate.low <= truths[name] <= estimate.high
    assert all(930 <= count <= 970 for count in covered.values()), covered


def test_strata_keep_their_sizes() -> None:
    # Within each class all values are equal, so every resample has the same mean: the width is rounding.
    values, strata = np.repeat([1.0, 9.0], 50), np.repeat([0, 1], 50)
    estimate = bootstrap_mean(values, strata, rng=np.random.default_rng(0))
    assert estimate == Estimate(5.0, 5.0, 5.0)


def test_resampling_in_chunks_draws_all_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.judging.intervals.CHUNK_NUMBERS", 700)
    seen: list[int] = []

    def statistic(counts: ClassCounts) -> NDArray[np.float64]:
        if counts.correct.ndim == 2:  # and not the matrix itself
            seen.append(len(counts.correct))
            assert counts.true.tolist() == [40, 30]
            assert (counts.predicted.sum(axis=1) == 70).all()
        return per_class.mean_f1(counts)

    bootstrap_confusion(
        ConfusionCells.of_matrix(MATRIX), {"f1": statistic}, rng=np.random.default_rng(0), resamples=1_000
    )
    assert sum(seen) == 1_000
    assert max(seen) == 700 // 6


def test_more_images_make_a_narrower_interval() -> None:
    widths = []
    for times in (1, 10, 100):
        estimate = bootstrap_confusion(
            ConfusionCells.of_matrix(times * MATRIX), MACRO_F1, rng=np.random.default_rng(0)
        )["f1"]
        widths.append(estimate.high - estimate.low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_resampled_counts_have_the_mean_and_variance_of_multinomial_rows() -> None:
    drawn: list[ClassCounts] = []

    def statistic(counts: ClassCounts) -> NDArray[np.float64]:
        drawn.append(counts)
        return per_class.mean_f1(counts)

    matrix = np.array([[30, 10, 0], [5, 20, 5], [0, 0, 0]])
    bootstrap_confusion(
        ConfusionCells.of_matrix(matrix), {"f1": statistic}, rng=np.random.default_rng(0), resamples=20_000
    )
    counts = drawn[0]
    np.testing.assert_allclose(counts.correct.mean(axis=0), [30, 20, 0], atol=0.1)
    np.testing.assert_allclose(counts.predicted.mean(axis=0), [35, 30, 5], atol=0.1)
    spread = [40 * 0.75 * 0.25 + 30 * (1 / 6) * (5 / 6), 40 * 0.75 * 0.25 + 30 * (2 / 3) * (1 / 3), 30 * 5 / 36]
    np.testing.assert_allclose(counts.predicted.var(axis=0), spread, rtol=0.05)


def test_few_images_without_a_mistake_have_a_wide_interval() -> None:
    widths = []
    for n in (5, 50, 500):
        estimate = bootstrap_confusion(
            ConfusionCells.of_matrix(n * np.eye(3, dtype=np.int64)), MACRO_F1, rng=np.random.default_rng(0)
        )["f1"]
        assert (estimate.value, estimate.high) == (1, 1)
        assert estimate.low == pytest.approx(wilson(3 * n, 3 * n).low)
        widths.append(estimate.high - estimate.low)
    assert widths[0] > 5 * widths[1] > 25 * widths[2]


def test_a_rare_class_without_a_mistake_has_a_wide_interval() -> None:
    statistics = {"recall": per_class.mean_recall}
    rng = np.random.default_rng(0)
    rare = bootstrap_confusion(ConfusionCells.of_matrix(np.diag([9_990, 10])), statistics, rng=rng)["recall"]
    even = bootstrap_confusion(ConfusionCells.of_matrix(np.diag([5_000, 5_000])), statistics, rng=rng)["recall"]
    assert rare.low < 0.95 < even.low


def test_means_of_several_values_equal_the_single_ones() -> None:
    rng = np.random.default_rng(3)
    values, strata = rng.random((2, 60)), np.repeat([0, 1], 30)
    both = bootstrap_means(list(values), strata, rng=np.random.default_rng(0))
    alone = [bootstrap_mean(row, strata, rng=np.random.default_rng(0)) for row in values]
    assert both == alone


def test_an_interval_from_a_variance_is_wilsons_for_a_proportion() -> None:
    share, n = 0.8, 50
    estimate, expected = wilson_from_variance(share, share * (1 - share) / n, max_trials=1_000), wilson(40, 50)
    assert [estimate.low, estimate.high] == pytest.approx([expected.low, expected.high])


def test_an_interval_from_no_variance_is_as_wide_as_the_trials_allow() -> None:
    assert wilson_from_variance(1.0, 0.0, max_trials=30) == wilson(30, 30)
    assert wilson_from_variance(0.9, 1e-30, max_trials=30) == wilson(27, 30)
    assert (
        wilson_from_variance(1.0, 0.1, max_trials=30).low < wilson(30, 30).low
    )  # rounding: a variance though the value is 1


def test_the_variance_of_a_sum_is_that_within_strata() -> None:
    influence, strata = np.array([1.0, 3.0, 10.0, 10.0, 7.0]), np.array([0, 0, 2, 2, 3])
    assert stratified_variance(influence, strata) == pytest.approx(2 * np.var([1, 3], ddof=1))


@pytest.mark.parametrize("freedom", [*range(1, 12), 30, 99, 998, 999])
def test_students_quantile_equals_scipys(freedom: int) -> None:
    assert student_quantile(freedom) == pytest.approx(float(stats.t.ppf(0.975, freedom)), rel=1e-9)
    assert student_quantile(freedom, 0.5) == pytest.approx(float(stats.t.ppf(0.75, freedom)), rel=1e-9)


def test_the_interval_is_the_corrected_one() -> None:
    values = [0.80, 0.82, 0.78, 0.84, 0.81]
    estimate = mean_over_folds(values, held_out=1 / 4)
    half = 2.7764451051977934 * stdev(values) * math.sqrt(1 / 5 + 1 / 4)
    assert estimate.value == pytest.approx(0.81)
    assert [estimate.low, estimate.high] == pytest.approx([0.81 - half, 0.81 + half])


def test_an_interval_stays_in_0_to_1_and_equal_folds_have_no_width() -> None:
    estimate = mean_over_folds([0.9, 1.0], held_out=1.0)
    assert (estimate.low, estimate.high) == (0.0, 1.0)
    constant = mean_over_folds([0.7, 0.7, 0.7], held_out=0.5)
    assert [constant.low, constant.high] == pytest.approx([0.7, 0.7])


def test_an_estimate_is_used_as_a_number() -> None:
    estimate = Estimate(0.91234, 0.89, 0.93)
    assert float(estimate) == 0.91234
    assert f"{estimate:.1%}" == "91.2%"
    assert "low=0.89" in f"{estimate}"
    assert (round(estimate), round(estimate, 2)) == (1.0, 0.91)
    assert min(estimate, Estimate(0.5, 0.4, 0.6)) == 0.5
    assert max([estimate, Estimate(0.95, 0.9, 1.0)], key=float) >= 0.95


def test_an_estimate_compares_with_numbers_and_estimates() -> None:
    estimate, wider = Estimate(0.9, 0.8, 0.95), Estimate(0.9, 0.7, 0.99)
    assert estimate > 0.89
    assert estimate >= np.float32(0.5)
    assert estimate < 1
    assert estimate <= wider
    assert estimate > 0.89
    assert estimate == 0.9
    assert hash(estimate) == hash(0.9)
    assert estimate == Estimate(0.9, 0.8, 0.95)
    assert estimate != wider
    assert estimate != "0.9"
    with pytest.raises(TypeError):
        estimate < "1"  # type: ignore[operator]  # noqa: B015
