"""Calibration: the temperature of simulated classifiers, and bins computed by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from tellapart.judging.calibration import (
    ReliabilityBin,
    apply_temperature,
    estimate_ece,
    fit_temperature,
    reliability_bins,
)
from tellapart.judging.intervals import Estimate, wilson
from tellapart.judging.metrics import confidence_bins, confidence_gaps, ece, log_loss

Case = tuple[NDArray[np.int64], NDArray[np.float64]]


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return probs


def simulate(n: int, k: int, *, overconfidence: float, seed: int = 0) -> Case:
    """Labels drawn from true probabilities, and the predictions of a classifier that multiplies their logits."""
    rng = np.random.default_rng(seed)
    scores = 1.5 * rng.normal(size=(n, k))
    labels = (softmax(scores).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return np.minimum(labels, k - 1), softmax(overconfidence * scores)


@pytest.mark.parametrize("k", [2, 10])
def test_calibration_halves_the_error_of_an_overconfident_classifier_on_other_images(k: int) -> None:
    chosen = fit_temperature(*simulate(400, k, overconfidence=3))
    labels, probs = simulate(2_000, k, overconfidence=3, seed=1)
    cooler = apply_temperature(probs, chosen)
    assert chosen == pytest.approx(3, rel=0.2)
    assert ece(labels, cooler) < ece(labels, probs) / 2
    np.testing.assert_array_equal(cooler.argmax(axis=1), probs.argmax(axis=1))


@pytest.mark.parametrize(("k", "overconfidence"), [(2, 3.0), (2, 0.4), (5, 3.0), (5, 1.0), (5, 0.4)])
def test_many_images_outweigh_the_prior(k: int, overconfidence: float) -> None:
    labels, probs = simulate(20_000, k, overconfidence=overconfidence)
    least = minimize_scalar(
        lambda t: log_loss(labels, apply_temperature(probs, t)), bounds=(0.05, 20), options={"xatol": 1e-7}
    )
    assert fit_temperature(labels, probs) == pytest.approx(least.x, rel=1e-3)
    assert fit_temperature(labels, probs) == pytest.approx(overconfidence, rel=0.05)


@pytest.mark.parametrize("n", [1, 7, 60])
def test_few_images_minimise_loss_and_prior(n: int) -> None:
    labels, probs = simulate(n, 4, overconfidence=2, seed=n)

    def penalised(log_t: float) -> float:
        return n * log_loss(labels, apply_temperature(probs, math.exp(log_t))) + math.exp(-log_t) + log_t

    least = minimize_scalar(penalised, bounds=(-3, 3), options={"xatol": 1e-9})
    assert fit_temperature(labels, probs) == pytest.approx(np.exp(least.x), rel=1e-5)


def test_the_temperature_equals_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=3_000)
    points = rng.normal(size=(3_000, 4)) + np.eye(4)[labels]
    model = LogisticRegression().fit(5 * points[:500], labels[:500])  # fitted to other points: far too confident here
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method="temperature").fit(25 * points, labels)
    inverse = theirs.calibrated_classifiers_[0].calibrators[0].beta_
    assert fit_temperature(labels, model.predict_proba(25 * points)) == pytest.approx(1 / inverse, rel=0.01)


@pytest.mark.parametrize("confidence", [0.6, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("n", [1, 10, 1_000])
def test_faultless_predictions_do_not_become_certainties(n: int, confidence: float) -> None:
    probs = np.tile([confidence, 1 - confidence], (n, 1)).astype(np.float32)
    chosen = fit_temperature(np.zeros(n, dtype=np.int64), probs)
    overconfidence = apply_temperature(probs, chosen).max()
    assert chosen < 1.001
    # Mild, or leaving much of the doubt that Laplace's rule of succession leaves after n of n.
    assert chosen > 0.5 or 1 - overconfidence > 1 / (n + 2) / 5


def test_confident_mistakes_keep_the_temperature_within_bounds() -> None:
    probs = np.tile(np.array([1.0, 0.0], dtype=np.float32), (100, 1))
    chosen = fit_temperature(np.ones(100, dtype=np.int64), probs)
    assert chosen == pytest.approx(20)
    assert np.isfinite(apply_temperature(probs, chosen)).all()


def test_uniform_predictions_and_a_single_class_have_temperature_1() -> None:
    assert fit_temperature(np.array([0, 1, 1]), np.full((3, 2), 0.5)) == pytest.approx(1)
    assert fit_temperature(np.array([0, 0, 0]), np.ones((3, 1))) == pytest.approx(1)


@given(
    probs=npst.arrays(
        np.float64, (4, 5), elements=st.sampled_from([0.0, 1e-40, 0.3, 0.3000001, 0.30000000000000004, 1.0])
    ),
    kind=st.sampled_from([np.float32, np.float64]),
    temperature=st.floats(0.05, 20),
)
def test_scaling_keeps_the_dtype_the_sums_and_the_predicted_class(
    probs: NDArray[np.float64], kind: type[np.floating], temperature: float
) -> None:
    probs[probs.sum(axis=1) == 0] = 1
    original = (probs / probs.sum(axis=1, keepdims=True)).astype(kind)
    scaled = apply_temperature(original, temperature)
    assert scaled.dtype == kind
    assert scaled.min() >= 0
    np.testing.assert_allclose(scaled.sum(axis=1, dtype=np.float64), 1, atol=1e-6)
    np.testing.assert_array_equal(scaled.argmax(axis=1), original.argmax(axis=1))


def test_a_lead_of_one_ulp_survives_any_temperature() -> None:
    half = np.float32(0.5)
    probs = np.array([[np.nextafter(half, np.float32(0)), half]], dtype=np.float32)
    assert apply_temperature(probs, 20).argmax() == 1


def test_zero_is_replaced_by_the_least_normal_float32() -> None:
    probs = np.array([[0.0, 1.0]])
    assert apply_temperature(probs, 2)[0, 0] == pytest.approx(math.sqrt(np.finfo(np.float32).tiny), rel=1e-6, abs=0)
    np.testing.assert_array_equal(
        apply_temperature(probs.astype(np.float32), 2), apply_temperature(probs, 2).astype(np.float32)
    )


def test_scaling_is_softmax_of_logits_over_t() -> None:
    scores = np.random.default_rng(0).normal(size=(50, 6))
    np.testing.assert_allclose(apply_temperature(softmax(scores), 2.5), softmax(scores / 2.5), rtol=1e-12)
    np.testing.assert_allclose(apply_temperature(softmax(scores), 1), softmax(scores), rtol=1e-12)


def test_bins_equal_those_computed_by_hand() -> None:
    probs = np.array([[0.5, 0.5], [0.4, 0.6], [0.75, 0.25], [0.8, 0.2], [0.0, 1.0]])
    bins = reliability_bins(np.array([0, 0, 0, 0, 1]), probs, bins=4)
    assert bins[0] == ReliabilityBin(0.0, 0.25, 0, confidence=None, accuracy=None)
    assert bins[1] == ReliabilityBin(0.25, 0.5, 1, confidence=0.5, accuracy=wilson(1, 1))
    assert bins[2] == ReliabilityBin(0.5, 0.75, 2, confidence=(0.6 + 0.75) / 2, accuracy=wilson(1, 2))
    assert bins[3] == ReliabilityBin(0.75, 1.0, 2, confidence=(0.8 + 1.0) / 2, accuracy=wilson(2, 2))


def test_bins_add_up_to_the_calibration_error() -> None:
    labels, probs = simulate(500, 5, overconfidence=2)
    bins = reliability_bins(labels, probs)
    gaps = [bin_.n * abs(bin_.confidence - bin_.accuracy.value) for bin_ in bins if bin_.accuracy and bin_.confidence]
    assert sum(gaps) / 500 == pytest.approx(ece(labels, probs), abs=1e-12)


def test_every_image_is_in_a_bin_despite_rounding() -> None:
    edges = np.linspace(0, 1, 16).astype(np.float32)[8:]
    probs = np.stack([edges, 1 - edges], axis=1)
    probs[-1, 0] = np.nextafter(np.float32(1), np.float32(2))
    assert sum(bin_.n for bin_ in reliability_bins(np.zeros(len(edges), dtype=np.int64), probs)) == len(edges)


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
