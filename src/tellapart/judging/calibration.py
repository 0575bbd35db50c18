"""Calibration: reliability bins, and the temperature that makes 90 % confidence correct 9 times in 10."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.clustered import proportion, variance
from tellapart.judging.groups import Groups, dependent
from tellapart.judging.intervals import QUANTILES, RESAMPLES, Estimate, Z, bessel_factors
from tellapart.judging.metrics import BINS, confidence_bins, row_blocks

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
BISECTIONS = 30  # of the range of log T, which is 6 wide: to 6e-9
MIN_PROB = float(np.finfo(np.float32).tiny)  # stands in for 0: the least normal float32

Labels = NDArray[np.integer]
Real = TypeVar("Real", bound=np.floating)
Floats = NDArray[np.float64]
INTERVAL_BISECTIONS = 16  # to a hundred-thousandth


@dataclass(frozen=True)
class ReliabilityBin:
    """The `n` images whose confidence is in (low, high]: their mean confidence, and their accuracy.

    Both are None where n is 0. The first bin includes its low end.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: Estimate | None


def fit_temperature(labels: Labels, probs: NDArray[np.floating]) -> float:
    """Find the T, in [0.05, 20], that minimises the log-loss of `apply_temperature(probs, T)`, probs float (n, k).

    Above 1 the classifier is overconfident, below 1 underconfident. A prior keeps few images, or images without a
    mistake, from driving T to a bound: a gamma distribution on 1/T with its mode at 1, which weighs as much as one or
    two images and vanishes among hundreds. The penalised loss is convex in 1/T, so its minimum is where the slope is 0.
    Source: Guo et al., On Calibration of Modern Neural Networks (2017), 4.2.
    """
    logits = _shifted_logs(probs)
    true_sum = float(np.take_along_axis(logits, labels[:, np.newaxis], axis=1).sum())
    low, high = math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        overconfident = _slope(logits, true_sum, math.exp(-middle)) > 0
        low, high = (middle, high) if overconfident else (low, middle)
    return math.exp((low + high) / 2)


def centred_logs(probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute ln p minus its mean over the classes: float64 of the same shape, (..., classes).

    Its softmax is the probabilities, so these are logits. 0 counts as `MIN_PROB`.
    """
    logs = np.log(np.maximum(probs.astype(np.float64), MIN_PROB))
    centred: NDArray[np.float64] = logs - logs.mean(axis=-1, keepdims=True)
    return centred


def apply_temperature(probs: NDArray[Real], temperature: float) -> NDArray[Real]:
    """Compute softmax(log(probs) / T), of the shape (n, k) and dtype of `probs`.

    Rows add up to 1, and the predicted class (the first of equals) does not change.
    """
    scaled: NDArray[Real] = np.empty_like(probs)
    for rows in row_blocks(probs):
        weights = np.exp(_shifted_logs(probs[rows]) / temperature)
        scaled[rows] = weights / weights.sum(axis=1, keepdims=True)
    predicted = probs.argmax(axis=1)
    moved = np.flatnonzero(scaled.argmax(axis=1) != predicted)  # their lead is below the precision after scaling
    scaled[moved, predicted[moved]] = np.nextafter(scaled[moved].max(axis=1), probs.dtype.type(1))
    return scaled


def reliability_bins(
    labels: Labels, probs: NDArray[np.floating], bins: int = BINS, groups: Groups | None = None
) -> tuple[ReliabilityBin, ...]:
    """Compute mean confidence and accuracy, with Wilson's intervals, in the bins of `ece`.

    Source: as `fit_temperature`, 2.
    """
    confidence, correct = probs.max(axis=1).astype(np.float64), probs.argmax(axis=1) == labels
    edges, indices = np.linspace(0, 1, bins + 1), confidence_bins(probs, bins)

    def within(i: int) -> ReliabilityBin:
        mask = indices == i
        inside = None if groups is None else groups.take(mask)
        return _bin(float(edges[i]), float(edges[i + 1]), confidence[mask], correct[mask], inside)

    return tuple(within(i) for i in range(bins))


def _bin(
    low: float, high: float, confidence: Floats, correct: NDArray[np.bool_], groups: Groups | None
) -> ReliabilityBin:
    n = len(confidence)
    if not n:
        return ReliabilityBin(low, high, 0, confidence=None, accuracy=None)
    return ReliabilityBin(low, high, n, float(confidence.mean()), proportion(correct, groups))


def _shifted_logs(probs: NDArray[np.floating]) -> Floats:
    """Logarithms, float64 (n, k), minus each row's maximum, so that no exponential overflows."""
    logs = np.empty(probs.shape, np.float64)
    for rows in row_blocks(probs):
        part = np.log(np.maximum(probs[rows].astype(np.float64), MIN_PROB))
        logs[rows] = part - part.max(axis=1, keepdims=True)
    return logs


def _slope(logits: Floats, true_sum: float, inverse: float) -> float:
    """The derivative by 1/T of the summed loss and the prior; `true_sum` adds up the true classes' logits."""
    expected = np.empty(len(logits))
    for rows in row_blocks(logits):
        weights = np.exp(inverse * logits[rows])
        expected[rows] = (weights * logits[rows]).sum(axis=1) / weights.sum(axis=1)
    return float(expected.sum()) - true_sum + 1 - 1 / inverse


def estimate_ece(
    gaps: Floats,
    bins: NDArray[np.int64],
    strata: NDArray[np.integer],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    groups: Groups | None = None,
) -> Estimate:
    """Estimate the sum over bins of | sum of `gaps` | / n, in [0, 1], of gaps float64 (n,) in bins and strata int (n,).

    Chance adds to every bin's gap, and the absolute value keeps it from cancelling: the value is biased upwards, and
    resampling adds the same bias again, so that a percentile interval is too high. This interval inverts a test
    instead: it contains the true values under which the measured one is not among the 2.5 % most unlikely on either
    side. The bins' gaps keep their measured proportions, are scaled by one factor, and have normal errors with the
    bins' stratified covariance, or that of whole groups. Source: Carpenter, Test inversion bootstrap confidence
    intervals (1999).
    """
    if not gaps.any():
        return Estimate(0.0, 0.0, 1 - proportion(gaps == 0, groups).low)  # certain and correct each time
    sums: Floats = np.bincount(bins, gaps) / len(gaps)
    clusters = dependent(groups)
    covariance = _covariance(gaps, bins, strata) if clusters is None else _group_covariance(gaps, bins, clusters)
    errors = _draw(covariance, len(gaps), rng=rng, resamples=resamples)
    value = float(np.abs(sums).sum())
    low = _factor(sums, errors, value, QUANTILES[1])
    high = _factor(sums, errors, value, QUANTILES[0])
    return Estimate(value, min(low, 1.0) * value, min(max(high, 1.0) * value, 1.0))


def _covariance(gaps: Floats, bins: NDArray[np.int64], strata: NDArray[np.integer]) -> Floats:
    """The covariance of the bins' sums over independent images: float64 (bins, bins)."""
    sizes, width = np.bincount(strata), int(bins.max()) + 1
    factors = bessel_factors(sizes)
    sums = np.bincount(strata * width + bins, gaps, minlength=len(sizes) * width).reshape(len(sizes), width)
    within = np.diag(np.bincount(bins, factors[strata] * gaps**2))
    covariance: Floats = within - (sums.T * (factors / np.maximum(sizes, 1))) @ sums
    return covariance


def _group_covariance(gaps: Floats, bins: NDArray[np.int64], groups: Groups) -> Floats:
    """The covariance of the bins' sums over whole groups: float64 (bins, bins).

    It is enlarged as that of the sum over all bins is, see `clustered.variance`, and by Student's quantile.
    """
    width = int(bins.max()) + 1
    sums = np.bincount(groups.index * width + bins, gaps, minlength=groups.count * width).reshape(groups.count, width)
    apart = sums - groups.sizes[:, np.newaxis] / len(gaps) * sums.sum(axis=0)
    covariance = apart.T @ apart * groups.count / max(groups.count - 1, 1)
    expected, shape = variance(gaps - gaps.mean(), groups)
    seen = float(covariance.sum())
    enlarged: Floats = covariance * (max(expected / seen, 1.0) if seen > 0 else 1.0) * (shape.quantile / Z) ** 2
    return enlarged


def _draw(covariance: Floats, n: int, *, rng: np.random.Generator, resamples: int) -> Floats:
    """Draw errors of the bins' sums over the n images: float64 (bins, resamples)."""
    variances, axes = np.linalg.eigh(covariance)
    scales = np.sqrt(np.maximum(variances, 0.0)) / n
    drawn: Floats = (axes * scales) @ rng.standard_normal((len(covariance), resamples))
    return drawn


def _factor(sums: Floats, errors: Floats, value: float, level: float) -> float:
    """The factor of the gaps at which `value` is the quantile `level` of the statistic; 0 where it is below for all."""

    def beyond(factor: float) -> bool:
        statistic = np.abs(factor * sums[:, np.newaxis] + errors).sum(axis=0)
        return bool(np.quantile(statistic, level) >= value)

    low, high = 0.0, 1.0
    while not beyond(high):
        low, high = high, 2 * high
    for _ in range(INTERVAL_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return low
