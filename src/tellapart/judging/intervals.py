"""Estimates: a number with its 95 % confidence interval.

Proportions take Wilson's interval; everything else a bootstrap stratified by true class. Stratified means
that the number of pictures of each class stays what it is: the interval speaks about other pictures of these
classes, in these numbers, and a class with a single picture adds nothing to its width.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
RESAMPLES = 10_000
AT_ONCE = 2**20  # numbers drawn at a time: 8 MB, however many pictures there are

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Statistic = Callable[[Counts], Floats]
"""From confusion matrices, int64 (m, k, k), to one number each, float64 (m,)."""


@dataclass(frozen=True)
class Estimate:
    """A value inside its 95 % interval, `low <= value <= high`."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """`{"value", "low", "high"}`."""
        return asdict(self)


def wilson(successes: int, n: int) -> Estimate:
    """Estimate a proportion, all three numbers in [0, 1], from n >= 1 trials.

    Source: Wilson, Probable inference (1927), without continuity correction. Written out, since scipy.stats has it
    but takes a second to import, and judging would then need scipy.
    """
    share = successes / n
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return _around(share, max(middle - half, 0.0), min(middle + half, 1.0))


def bootstrap_mean(
    values: Floats, strata: NDArray[np.integer], *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Estimate:
    """Estimate the mean of `values`, float64 (n,), resampled within strata, int (n,).

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), 13.3, the percentile interval.
    """
    sums = np.zeros(resamples)
    for stratum in np.unique(strata):
        sums += _resampled_sums(values[strata == stratum], rng=rng, resamples=resamples)
    return _percentile(float(values.mean()), sums / len(values))


def bootstrap_confusion(
    confusion: Counts, statistic: Statistic, *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Estimate:
    """Estimate a statistic of a confusion matrix, int64 (k, k), rows true, resampled within true classes.

    Drawing the pictures of one class anew is drawing its row from a multinomial distribution, so no picture
    is touched. Source: as `bootstrap_mean`.
    """
    totals = confusion.sum(axis=1)
    shares = confusion / np.maximum(totals, 1)[:, np.newaxis]
    drawn = [
        statistic(rng.multinomial(totals, shares, size=(count, len(totals))))
        for count in _portions(resamples, confusion.size)
    ]
    return _percentile(float(statistic(confusion[np.newaxis])[0]), np.concatenate(drawn))


def _resampled_sums(values: Floats, *, rng: np.random.Generator, resamples: int) -> Floats:
    drawn = [
        values[rng.integers(len(values), size=(count, len(values)))].sum(axis=1)
        for count in _portions(resamples, len(values))
    ]
    return np.concatenate(drawn)


def _portions(resamples: int, size: int) -> list[int]:
    """How many resamples of `size` numbers to draw at a time, so that memory stays bounded."""
    most = max(1, AT_ONCE // size)
    whole, rest = divmod(resamples, most)
    return [most] * whole + [rest] * (rest > 0)


def _percentile(value: float, drawn: Floats) -> Estimate:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return _around(value, float(low), float(high))


def _around(value: float, low: float, high: float) -> Estimate:
    # Rounding, or a statistic at the edge of what can be drawn, may leave the value just outside.
    return Estimate(value, min(low, value), max(high, value))
