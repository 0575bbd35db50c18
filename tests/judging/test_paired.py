"""Comparisons of two classifiers: equal to scipy's, with intervals of the right coverage."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest, multinomial

from tellapart.errors import DatasetError
from tellapart.judging.intervals import Estimate
from tellapart.judging.paired import compare, mcnemar, paired_bootstrap, paired_difference


def correctness(only_a: int, only_b: int, both: int = 5) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Correctness of a and b on only_a + only_b + both + 3 images."""
    kinds = np.repeat([0, 1, 2, 3], [only_a, only_b, both, 3])
    return np.isin(kinds, [0, 2]), np.isin(kinds, [1, 2])


@given(only_a=st.integers(0, 300), only_b=st.integers(0, 300))
def test_mcnemar_equals_the_binomial_test_of_scipy(only_a: int, only_b: int) -> None:
    comparison = mcnemar(*correctness(only_a, only_b))
    assert (comparison.only_a, comparison.only_b) == (only_a, only_b)
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert comparison.p_value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("only_a", "only_b"), [(50_300, 49_700), (49_000, 51_000), (50_000, 50_000)])
def test_mcnemar_takes_a_hundred_thousand_images(only_a: int, only_b: int) -> None:
    started = time.process_time()
    comparison = mcnemar(*correctness(only_a, only_b))
    assert time.process_time() - started < 2
    assert comparison.p_value == pytest.approx(binomtest(only_a, 100_000).pvalue, rel=1e-8)


def test_the_p_value_is_0_for_a_certain_lead_and_1_for_no_difference() -> None:
    assert mcnemar(*correctness(100_000, 0)).p_value == 0
    assert mcnemar(*correctness(0, 0)).p_value == 1
    assert mcnemar(*correctness(1, 0)).p_value == 1
    assert mcnemar(*correctness(8, 0)).p_value == pytest.approx(2 / 2**8)
    assert mcnemar(*correctness(8, 1)).p_value == mcnemar(*correctness(1, 8)).p_value


def test_paired_difference_equals_values_computed_by_hand() -> None:
    # Of 50 pairs 1 and 7 differ: (1 + 1 - 7 - 1) / 52 and 1.95996 times the root of (10/52 - (6/52)^2) / 52.
    estimate = paired_difference(1, 7, 50)
    assert estimate.value == -6 / 50
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (-0.2304, -0.0004)


@pytest.mark.parametrize(("n", "only_a", "only_b"), [(341, 0.06, 0.04), (341, 0.1, 0.1), (100, 0.2, 0.1)])
def test_paired_difference_covers_the_truth_95_times_in_100(n: int, only_a: float, only_b: float) -> None:
    chances = multinomial(n, [only_a, only_b, 1 - only_a - only_b])
    covered = 0.0
    for a in range(n // 2):  # exactly, by summing over all there can be: no chance is involved
        b = np.arange(n // 3)
        likely = np.atleast_1d(chances.pmf(np.stack([np.full_like(b, a), b, n - a - b], axis=1)))
        for other in b[likely > 1e-9]:
            estimate = paired_difference(a, int(other), n)
            covered += likely[other] * (estimate.low <= only_a - only_b <= estimate.high)
    assert 0.93 <= covered <= 0.97


@given(n=st.integers(1, 50), part_a=st.floats(0, 1), part_b=st.floats(0, 1))
def test_paired_difference_stays_in_its_range_and_mirrors(n: int, part_a: float, part_b: float) -> None:
    only_a = round(part_a * n)
    only_b = round(part_b * (n - only_a))
    estimate, mirrored = paired_difference(only_a, only_b, n), paired_difference(only_b, only_a, n)
    assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high
    assert estimate.low == pytest.approx(-mirrored.high)


def test_paired_bootstrap_covers_the_truth_95_times_in_100() -> None:
    rng = np.random.default_rng(7)
    strata = np.repeat([0, 1, 2], [150, 100, 50])
    covered = 0
    for _ in range(1_000):
        hard = rng.exponential(1.0, size=300)  # the same image is hard for both: their losses go together
        losses_a, losses_b = hard * rng.exponential(1.2, size=300), hard * rng.exponential(1.0, size=300)
        estimate = paired_bootstrap(losses_a, losses_b, strata, rng=rng, resamples=600)
        covered += estimate.low <= 0.2 <= estimate.high
    assert 930 <= covered <= 970


def test_images_hard_for_both_do_not_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    hard, strata = rng.exponential(9.0, size=200), np.zeros(200, dtype=np.int64)
    estimate = paired_bootstrap(hard + 0.5, hard, strata, rng=rng, resamples=100)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize("k", [2, 6])
def test_a_better_classifier_is_recognised_and_swapping_changes_the_signs(k: int) -> None:
    labels, better, worse = predictions(600, k)
    comparison, swapped = compare(labels, better, worse), compare(labels, worse, better)
    accuracies = [np.mean(probs.argmax(axis=1) == labels) for probs in (better, worse)]
    assert comparison.n == 600
    assert comparison.accuracy_difference.value == pytest.approx(accuracies[0] - accuracies[1])
    assert comparison.accuracy_difference.low > 0 > comparison.log_loss_difference.high
    assert comparison.mcnemar.p_value < 0.01
    assert swapped.accuracy_difference.value == -comparison.accuracy_difference.value
    assert swapped.log_loss_difference.value == pytest.approx(-comparison.log_loss_difference.value)
    assert swapped.mcnemar.p_value == comparison.mcnemar.p_value


def test_a_classifier_does_not_differ_from_itself() -> None:
    labels, probs, _ = predictions(100, 3)
    comparison = compare(labels, probs, probs)
    assert comparison.log_loss_difference == Estimate(0.0, 0.0, 0.0)
    assert comparison.mcnemar.p_value == 1
    assert (
        comparison.accuracy_difference.low
        < comparison.accuracy_difference.value
        == 0
        < comparison.accuracy_difference.high
    )


def test_the_seed_decides_the_interval() -> None:
    labels, better, worse = predictions(100, 3)
    first, again, other = (compare(labels, better, worse, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_other_images_are_refused() -> None:
    labels, better, worse = predictions(20, 3)
    with pytest.raises(DatasetError, match="20 labels, 20 and 19 predictions, expected one of each"):
        compare(labels, better, worse[1:])


def predictions(n: int, k: int) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Labels, and the probabilities of a better and a worse classifier."""
    rng = np.random.default_rng(0)
    labels = rng.integers(k, size=n)
    shared = rng.normal(size=(n, k))
    weights = [np.exp(shared + lead * np.eye(k)[labels] + 0.3 * rng.normal(size=(n, k))) for lead in (3.0, 1.5)]
    better, worse = (rows / rows.sum(axis=1, keepdims=True) for rows in weights)
    return labels, better, worse
