"""The interval of the calibration error."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.judging.calibration_interval import estimate_ece
from tellapart.judging.intervals import Estimate, wilson
from tellapart.judging.metrics import confidence_bins, confidence_gaps, ece

Floats = NDArray[np.float64]


def probabilities(labels: NDArray[np.int64], sharpness: float, *, rng: np.random.Generator) -> Floats:
    """Predictions, float64 (n, 3), calibrated for classes of equal size at a sharpness of 1, overconfident above it."""
    logits = 1.5 * (rng.normal(size=(len(labels), 3)) + 1.5 * np.eye(3)[labels])
    weights = np.exp(sharpness * logits)
    probs: Floats = weights / weights.sum(axis=1, keepdims=True)
    return probs


def estimate(labels: NDArray[np.int64], probs: Floats, *, resamples: int = 10_000) -> Estimate:
    rng = np.random.default_rng(0)
    return estimate_ece(confidence_gaps(labels, probs), confidence_bins(probs), labels, rng=rng, resamples=resamples)


@pytest.mark.parametrize("sharpness", [1.4, 2.0])
def test_it_covers_the_truth_95_times_in_100(sharpness: float) -> None:
    rng = np.random.default_rng(5)
    many = np.arange(200_000) % 3
    truth = ece(many, probabilities(many, sharpness, rng=rng))
    labels, covered = np.arange(1_000) % 3, 0
    for _ in range(1_000):
        error = estimate(labels, probabilities(labels, sharpness, rng=rng), resamples=300)
        covered += error.low <= truth <= error.high
    assert 930 <= covered <= 970


def test_the_interval_of_a_calibrated_classifier_contains_0() -> None:
    rng = np.random.default_rng(5)
    labels = np.arange(300) % 3
    errors = [estimate(labels, probabilities(labels, 1.0, rng=rng), resamples=400) for _ in range(100)]
    assert sum(error.low == 0 for error in errors) >= 90
    assert np.mean([error.value for error in errors]) > 0.03  # though the truth is 0: chance in every bin


def test_the_value_equals_the_metric() -> None:
    labels = np.arange(1_000) % 3
    probs = probabilities(labels, 2.0, rng=np.random.default_rng(0))
    error = estimate(labels, probs)
    assert error.value == pytest.approx(ece(labels, probs), abs=1e-15)
    assert 0 < error.low < error.value < error.high < 1


def test_certain_and_correct_predictions_have_a_positive_upper_end() -> None:
    labels = np.arange(40) % 2
    assert estimate(labels, np.eye(2)[labels]) == Estimate(0.0, 0.0, 1 - wilson(40, 40).low)


def test_a_single_image_has_no_width() -> None:
    error = estimate(np.array([0]), np.array([[0.75, 0.25]]))
    assert (error.value, error.low, error.high) == pytest.approx((0.25, 0.25, 0.25), abs=1e-4)
