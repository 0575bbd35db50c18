"""Calibration: reliability bins, and the temperature that makes 90 % confidence correct 9 times in 10."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.intervals import Estimate, wilson
from tellapart.judging.metrics import BINS, confidence_bins

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
BISECTIONS = 30  # of the range of log T, which is 6 wide: to 6e-9
MIN_PROB = float(np.finfo(np.float32).tiny)  # stands in for 0: the least normal float32

Labels = NDArray[np.integer]
Real = TypeVar("Real", bound=np.floating)
Floats = NDArray[np.float64]


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


def apply_temperature(probs: NDArray[Real], temperature: float) -> NDArray[Real]:
    """Compute softmax(log(probs) / T), of the shape (n, k) and dtype of `probs`.

    Rows add up to 1, and the predicted class (the first of equals) does not change.
    """
    weights = np.exp(_shifted_logs(probs) / temperature)
    scaled: NDArray[Real] = (weights / weights.sum(axis=1, keepdims=True)).astype(probs.dtype)
    predicted = probs.argmax(axis=1)
    rows = np.flatnonzero(scaled.argmax(axis=1) != predicted)  # their lead is below the precision after scaling
    scaled[rows, predicted[rows]] = np.nextafter(scaled[rows].max(axis=1), probs.dtype.type(1))
    return scaled


def reliability_bins(labels: Labels, probs: NDArray[np.floating], bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Compute mean confidence and accuracy, with Wilson's intervals, in the bins of `ece`.

    Source: as `fit_temperature`, 2.
    """
    confidence, correct = probs.max(axis=1).astype(np.float64), probs.argmax(axis=1) == labels
    edges, indices = np.linspace(0, 1, bins + 1), confidence_bins(probs, bins)
    return tuple(
        _bin(float(edges[i]), float(edges[i + 1]), confidence[indices == i], correct[indices == i]) for i in range(bins)
    )


def _bin(low: float, high: float, confidence: Floats, correct: NDArray[np.bool_]) -> ReliabilityBin:
    n = len(confidence)
    if not n:
        return ReliabilityBin(low, high, 0, confidence=None, accuracy=None)
    return ReliabilityBin(low, high, n, float(confidence.mean()), wilson(int(np.count_nonzero(correct)), n))


def _shifted_logs(probs: NDArray[np.floating]) -> Floats:
    """Logarithms, float64 (n, k), minus each row's maximum, so that no exponential overflows."""
    logs = np.log(np.maximum(probs.astype(np.float64), MIN_PROB))
    shifted: Floats = logs - logs.max(axis=1, keepdims=True)
    return shifted


def _slope(logits: Floats, true_sum: float, inverse: float) -> float:
    """The derivative by 1/T of the summed loss and the prior; `true_sum` adds up the true classes' logits."""
    weights = np.exp(inverse * logits)
    expected = (weights * logits).sum(axis=1) / weights.sum(axis=1)
    return float(expected.sum()) - true_sum + 1 - 1 / inverse
