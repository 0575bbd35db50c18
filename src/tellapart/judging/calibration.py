"""Calibration: whether 90 % sure is right 9 times in 10, and the temperature that makes it so."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.intervals import Estimate, wilson
from tellapart.judging.metrics import BINS, bins_of

COLDEST, HOTTEST = 0.05, 20.0
HALVINGS = 30  # of the range of log T, which is 6: to 6e-9
TINY = float(np.finfo(np.float32).tiny)  # what a probability of 0 is taken for: the least that float32 holds in full

Labels = NDArray[np.integer]
Real = TypeVar("Real", bound=np.floating)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """The `n` images whose greatest probability is in (low, high]: its mean, and how often they are right.

    Both are None where n is 0; the first bin takes in its low end too.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: Estimate | None


def temperature(labels: Labels, probs: NDArray[np.floating]) -> float:
    """Find the T, in [0.05, 20], whose `tempered` probabilities, from float (n, k), have the least log-loss.

    Above 1 the classifier is too sure of itself, below 1 not enough. A prior keeps few or faultless images from
    driving T to a bound: a gamma distribution on 1/T with its mode at 1, which weighs as much as one image or two
    and vanishes among hundreds. With it the loss stays convex in 1/T, so there is one least, where the slope is 0.
    Source: Guo et al., On Calibration of Modern Neural Networks (2017), 4.2.
    """
    scores = _scores(probs)
    own = float(np.take_along_axis(scores, labels[:, np.newaxis], axis=1).sum())
    low, high = math.log(COLDEST), math.log(HOTTEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        sharp = _slope(scores, own, math.exp(-middle)) > 0
        low, high = (middle, high) if sharp else (low, middle)
    return math.exp((low + high) / 2)


def apply_temperature(probs: NDArray[Real], temperature: float) -> NDArray[Real]:
    """Compute softmax(log(probs) / T): like probs, float (n, k), rows add up to 1 and the first greatest stays so."""
    weights = np.exp(_scores(probs) / temperature)
    changed: NDArray[Real] = (weights / weights.sum(axis=1, keepdims=True)).astype(probs.dtype)
    first = probs.argmax(axis=1)
    rows = np.flatnonzero(changed.argmax(axis=1) != first)  # a lead too small to be seen once T has shrunk it
    changed[rows, first[rows]] = np.nextafter(changed[rows].max(axis=1), probs.dtype.type(1))
    return changed


def reliability(labels: Labels, probs: NDArray[np.floating], bins: int = BINS) -> tuple[Bin, ...]:
    """Set confidence beside accuracy, with Wilson's intervals, in the bins of `ece`. Source: as `temperature`, 2."""
    sure, right = probs.max(axis=1).astype(np.float64), probs.argmax(axis=1) == labels
    edges, places = np.linspace(0, 1, bins + 1), bins_of(probs, bins)
    return tuple(
        _bin(float(edges[place]), float(edges[place + 1]), sure[places == place], right[places == place])
        for place in range(bins)
    )


def _bin(low: float, high: float, sure: Floats, right: NDArray[np.bool_]) -> Bin:
    n = len(sure)
    if not n:
        return Bin(low, high, 0, confidence=None, accuracy=None)
    return Bin(low, high, n, confidence=float(sure.mean()), accuracy=wilson(int(np.count_nonzero(right)), n))


def _scores(probs: NDArray[np.floating]) -> Floats:
    """Logarithms, float64 (n, k), less each row's greatest, so that no exponential overflows."""
    scores = np.log(np.maximum(probs.astype(np.float64), TINY))
    shifted: Floats = scores - scores.max(axis=1, keepdims=True)
    return shifted


def _slope(scores: Floats, own: float, inverse: float) -> float:
    """The derivative by 1/T of the summed loss and the prior; `own` is the sum of the true classes' scores."""
    weights = np.exp(inverse * scores)
    expected = (weights * scores).sum(axis=1) / weights.sum(axis=1)
    return float(expected.sum()) - own + 1 - 1 / inverse
