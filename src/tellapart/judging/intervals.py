"""Estimates: a number with its 95 % confidence interval.

Proportions take Wilson's interval; what a variance is known of, Wilson's with as many trials as that variance
stands for; everything else a bootstrap stratified by true class. Stratified means that the number of images of
each class stays what it is: the interval speaks about other images of these classes, in these numbers. A
bootstrap knows only the mistakes it has seen, and a class with a single image adds nothing to its width.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.confusion import ClassCounts, class_counts

LEVEL = 0.95
ENDS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
Z = NormalDist().inv_cdf(ENDS[1])
RESAMPLES = 10_000
AT_ONCE = 2**20  # numbers drawn at a time: 8 MB, however many images there are

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Statistic = Callable[[ClassCounts], Floats]
"""From what m confusion matrices count, arrays (m, k), to one number each, float64 (m,)."""


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
    return _wilson(successes / n, n)


def with_variance(value: float, variance: float, *, most: float) -> Estimate:
    """Estimate a number in [0, 1] that is no proportion, from its variance: Wilson's interval of an equal one.

    The trials are as many as give a proportion of that value that variance, but `most` at most, so that a value
    of 1, whose variance always seems 0, has an interval too. Source: the effective sample size of Korn & Graubard,
    Confidence intervals for proportions with small expected number of positive counts (1998), in Wilson's formula.
    """
    room = value * (1 - value)
    trials = most if room >= most * variance else room / variance
    return _wilson(value, max(trials, 1.0))


def stratified_variance(influence: Floats, strata: NDArray[np.integer]) -> float:
    """Compute the variance of the sum of `influence`, float64 (n,), over images drawn within strata, int (n,).

    A stratum of one image adds nothing.
    """
    sizes = np.bincount(strata)
    means = np.bincount(strata, influence) / np.maximum(sizes, 1)
    return float(np.square(influence - means[strata]) @ unbiased(sizes)[strata])


def bootstrap_mean(
    values: Floats, strata: NDArray[np.integer], *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Estimate:
    """Estimate the mean of `values`, float64 (n,), resampled within strata, int (n,).

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), 13.3, the percentile interval.
    """
    return bootstrap_means([values], strata, rng=rng, resamples=resamples)[0]


def bootstrap_means(
    columns: Sequence[Floats], strata: NDArray[np.integer], *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> list[Estimate]:
    """Estimate the means of several values of the same images, each float64 (n,), from the same resamples.

    Source: as `bootstrap_mean`.
    """
    sums = np.zeros((len(columns), resamples))
    for stratum in np.unique(strata):
        among = np.stack([values[strata == stratum] for values in columns])
        sums += _resampled_sums(among, rng=rng, resamples=resamples)
    return [_percentile(float(values.mean()), drawn / len(strata)) for values, drawn in zip(columns, sums, strict=True)]


def bootstrap_confusion(
    confusion: Counts,
    statistics: Mapping[str, Statistic],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Estimate statistics of a confusion matrix, int64 (k, k), rows true, resampled within true classes.

    Drawing the images of one class anew is drawing its row from a multinomial distribution, so no image
    is touched. Where no mistake can be drawn since none was made, the lower end is what `_worst` gives.
    Source: as `bootstrap_mean`.
    """
    drawn: dict[str, list[Floats]] = {name: [] for name in statistics}
    for count in _portions(resamples, 3 * len(confusion)):
        counts = _drawn(confusion, count, rng=rng)
        for name, statistic in statistics.items():
            drawn[name].append(statistic(counts))
    if np.trace(confusion) == confusion.sum():
        drawn = {name: [statistic(_worst(confusion))] for name, statistic in statistics.items()}
    values = {name: float(statistic(class_counts(confusion))) for name, statistic in statistics.items()}
    return {name: _percentile(values[name], np.concatenate(drawn[name])) for name in statistics}


def _wilson(share: float, n: float) -> Estimate:
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return _around(share, max(middle - half, 0.0), min(middle + half, 1.0))


def _resampled_sums(among: Floats, *, rng: np.random.Generator, resamples: int) -> Floats:
    """Sums over resamples of the n images of a stratum: float64 (values, resamples), of float64 (values, n)."""
    n = among.shape[1]
    drawn = []
    for count in _portions(resamples, n):
        images = rng.integers(n, size=(count, n))
        drawn.append(np.stack([values[images].sum(axis=1) for values in among]))
    return np.concatenate(drawn, axis=1)


def _drawn(confusion: Counts, count: int, *, rng: np.random.Generator) -> ClassCounts:
    """Tallies of `count` confusion matrices drawn anew, int64 (count, k); cells without an image stay so."""
    true = confusion.sum(axis=1)
    right, predicted = np.zeros((2, count, len(true)), dtype=np.int64)
    for row in np.flatnonzero(true):
        cells = np.flatnonzero(confusion[row])
        drawn = rng.multinomial(true[row], confusion[row, cells] / true[row], size=count)
        predicted[:, cells] += drawn
        right[:, row] = drawn[:, cells == row].sum(axis=1)
    return ClassCounts(right, true, predicted)


def _worst(confusion: Counts) -> ClassCounts:
    """The worst that a matrix without a mistake leaves credible: (1, k) each.

    Every class has the share right that is the lower end of Wilson's interval, its mistakes spread over the other
    classes. The trials are those of the mean of the classes' shares: of classes of one size, all the images.
    """
    true = confusion.sum(axis=1).astype(np.float64)
    sizes = true[true > 0]
    share = _wilson(1.0, len(sizes) ** 2 / float((1 / sizes).sum())).low
    matrix = np.tile((1 - share) / max(len(true) - 1, 1) * true[:, np.newaxis], len(true))
    np.fill_diagonal(matrix, share * true)
    return class_counts(matrix[np.newaxis])


def unbiased(sizes: NDArray[np.integer]) -> Floats:
    """What turns the mean square of a stratum of that size into its variance, n / (n - 1); 0 for one image."""
    factors: Floats = np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 0.0)
    return factors


def _portions(resamples: int, size: int) -> list[int]:
    """How many resamples of `size` numbers to draw at a time, so that memory stays bounded."""
    most = max(1, AT_ONCE // size)
    whole, rest = divmod(resamples, most)
    return [most] * whole + [rest] * (rest > 0)


def _percentile(value: float, drawn: Floats) -> Estimate:
    low, high = np.quantile(drawn, ENDS)
    return _around(value, float(low), float(high))


def _around(value: float, low: float, high: float) -> Estimate:
    # Rounding, or a statistic at the edge of what can be drawn, may leave the value just outside.
    return Estimate(value, min(low, value), max(high, value))
