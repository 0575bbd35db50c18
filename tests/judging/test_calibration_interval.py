"""The interval of the calibration error."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.judging.calibration_interval import calibration_error
from tellapart.judging.intervals import Estimate, wilson
from tellapart.judging.metrics import bins_of, confidence_gaps, ece

Floats = NDArray[np.float64]


def probabilities(labels: NDArray[np.int64], sharpness: float, *, rng: np.random.Generator) -> Floats:
    """Answers, float64 (n, 3), calibrated for classes of one size at a sharpness of 1, boasting above it."""
    logits = 1.5 * (rng.normal(size=(len(labels), 3)) + 1.5 * np.eye(3)[labels])
    weights = np.exp(sharpness * logits)
    probs: Floats = weights / weights.sum(axis=1, keepdims=True)
    return probs


def estimate(labels: NDArray[np.int64], probs: Floats, *, resamples: int = 10_000) -> Estimate:
    rng = np.random.default_rng(0)
    return calibration_error(confidence_gaps(labels, probs), bins_of(probs), labels, rng=rng, resamples=resamples)


@pytest.mark.parametrize("sharpness", [1.4, 2.0])
def test_it_covers_the_truth_95_times_in_100(sharpness: float) -> None:
    rng = np.random.default_rng(5)
    many = np.arange(200_000) % 3
    truth = ece(many, probabilities(many, sharpness, rng=rng))
    labels, covered = np.arange(1_000) % 3, 0
    for _ in range(1_000):
        found = estimate(labels, probabilities(labels, sharpness, rng=rng), resamples=300)
        covered += found.low <= truth <= found.high
    assert 930 <= covered <= 970


def test_a_calibrated_classifier_is_not_said_to_be_wrong() -> None:
    rng = np.random.default_rng(5)
    labels = np.arange(300) % 3
    found = [estimate(labels, probabilities(labels, 1.0, rng=rng), resamples=400) for _ in range(100)]
    assert sum(one.low == 0 for one in found) >= 90
    assert np.mean([one.value for one in found]) > 0.03  # though the truth is 0: chance in every bin


def test_its_value_is_the_metric() -> None:
    labels = np.arange(1_000) % 3
    probs = probabilities(labels, 2.0, rng=np.random.default_rng(0))
    found = estimate(labels, probs)
    assert found.value == pytest.approx(ece(labels, probs), abs=1e-15)
    assert 0 < found.low < found.value < found.high < 1


def test_certain_and_right_each_time_leaves_room_for_a_mistake() -> None:
    labels = np.arange(40) % 2
    assert estimate(labels, np.eye(2)[labels]) == Estimate(0.0, 0.0, 1 - wilson(40, 40).low)


def test_a_single_image_has_no_width() -> None:
    found = estimate(np.array([0]), np.array([[0.75, 0.25]]))
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25), abs=1e-4)
