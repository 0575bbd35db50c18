"""Estimates: values with their 95 % confidence intervals.

Proportions have Wilson's interval; values with a known variance have Wilson's with the equivalent number of trials;
all others have a bootstrap stratified by true class. Stratified means that every resample has the same number of
images of each class: the interval is about other images of these classes, in these numbers. A bootstrap knows only
the mistakes it has seen, and a class with a single image adds nothing to its width.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from statistics import NormalDist, stdev

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.confusion import ClassCounts, ConfusionCells, Numbers

LEVEL = 0.95
QUANTILES = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
Z = NormalDist().inv_cdf(QUANTILES[1])
RESAMPLES = 10_000
CHUNK_NUMBERS = 2**20  # drawn at a time: 8 MB, for any number of images
MAX_DRAWN, MIN_RESAMPLES = 2e7, 1_000  # resamples times classes: beyond, there are fewer, as many classes vary less

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Statistic = Callable[[ClassCounts], Floats]
"""A function of m confusion matrices' counts, arrays (m, k), with one value each, float64 (m,)."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """A value inside its 95 % interval, `low <= value <= high`.

    It formats, rounds and compares as its value, with numbers and with other estimates; two are equal where their
    intervals are, too.
    """

    value: float
    low: float
    high: float

    def __float__(self) -> float:
        """Return the value."""
        return float(self.value)

    def __format__(self, spec: str) -> str:
        """Format the value, as in `f"{accuracy:.1%}"`; without a format all three numbers are shown."""
        return format(self.value, spec) if spec else str(self)

    def __round__(self, digits: int = 0) -> float:
        """Round the value."""
        return round(self.value, digits)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Estimate):
            return (self.value, self.low, self.high) == (other.value, other.low, other.high)
        if not isinstance(other, Real):
            return NotImplemented
        return self.value == float(other)

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: "Estimate | float") -> bool:
        if not isinstance(other, Estimate | Real):
            return NotImplemented
        return self.value < float(other)

    def __le__(self, other: "Estimate | float") -> bool:
        if not isinstance(other, Estimate | Real):
            return NotImplemented
        return self.value <= float(other)

    def __gt__(self, other: "Estimate | float") -> bool:
        if not isinstance(other, Estimate | Real):
            return NotImplemented
        return self.value > float(other)

    def __ge__(self, other: "Estimate | float") -> bool:
        if not isinstance(other, Estimate | Real):
            return NotImplemented
        return self.value >= float(other)

    def as_json(self) -> dict[str, float]:
        """`{"value", "low", "high"}`."""
        return asdict(self)


def wilson(successes: int, n: int) -> Estimate:
    """Estimate a proportion, all three numbers in [0, 1], from n >= 1 trials.

    Source: Wilson, Probable inference (1927), without continuity correction. Implemented here, as importing
    scipy.stats takes a second, and judging would then need scipy.
    """
    return wilson_at(successes / n, n)


def wilson_at(share: float, n: float, quantile: float = Z) -> Estimate:
    """Estimate a proportion from an effective number of trials, n >= 1, and the quantile of the level."""
    middle = (share + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    half = quantile * math.sqrt(share * (1 - share) / n + quantile**2 / (4 * n**2)) / (1 + quantile**2 / n)
    return enclose(share, max(middle - half, 0.0), min(middle + half, 1.0))


def wilson_from_variance(value: float, variance: float, *, max_trials: float, quantile: float = Z) -> Estimate:
    """Estimate a number in [0, 1] that is not a proportion, from its variance, with Wilson's interval.

    The number of trials is that of a proportion with the same value and variance, but at most `max_trials`, so that a
    value of 1, whose variance always seems 0, has an interval too. Source: the effective sample size of Korn &
    Graubard, Confidence intervals for proportions with small expected number of positive counts (1998), in Wilson's
    formula.
    """
    one_trial = value * (1 - value)
    trials = max_trials if one_trial >= max_trials * variance else one_trial / variance
    return wilson_at(value, max(trials, 1.0), quantile)


def stratified_variance(influence: Floats, strata: NDArray[np.integer]) -> float:
    """Compute the variance of the sum of `influence`, float64 (n,), over images drawn within strata, int (n,).

    A stratum of one image contributes 0.
    """
    sizes = np.bincount(strata)
    means = np.bincount(strata, influence) / np.maximum(sizes, 1)
    return float(np.square(influence - means[strata]) @ bessel_factors(sizes)[strata])


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
        in_stratum = np.stack([values[strata == stratum] for values in columns])
        sums += _resampled_sums(in_stratum, rng=rng, resamples=resamples)
    return [_percentile(float(values.mean()), drawn / len(strata)) for values, drawn in zip(columns, sums, strict=True)]


def bootstrap_confusion(
    confusion: ConfusionCells,
    statistics: Mapping[str, Statistic],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Estimate statistics of a confusion matrix, resampled within true classes.

    Resampling the images of one class is drawing its row from a multinomial distribution, so the images themselves
    are not needed. Where there is no mistake to draw, the lower end is the statistic of `worst_credible`.
    Source: as `bootstrap_mean`.
    """
    counts, most = confusion.class_counts, max(MIN_RESAMPLES, int(MAX_DRAWN / confusion.classes))
    drawn: dict[str, list[Floats]] = {name: [] for name in statistics}
    if (confusion.true == confusion.predicted).all():
        drawn = {name: [statistic(worst_credible(counts.true))] for name, statistic in statistics.items()}
    else:
        rows = _rows(confusion)
        for size in chunk_sizes(min(resamples, most), 3 * confusion.classes):
            resampled = _resample_rows(rows, size, rng=rng)
            for name, statistic in statistics.items():
                drawn[name].append(statistic(resampled))
    values = {name: float(statistic(counts)) for name, statistic in statistics.items()}
    return {name: _percentile(values[name], np.concatenate(drawn[name])) for name in statistics}


def _resampled_sums(columns: Floats, *, rng: np.random.Generator, resamples: int) -> Floats:
    """Sums over resamples of the n images of a stratum: float64 (values, n) to float64 (values, resamples)."""
    n = columns.shape[1]
    drawn = []
    for count in chunk_sizes(resamples, n):
        images = rng.integers(n, size=(count, n))
        drawn.append(np.stack([values[images].sum(axis=1) for values in columns]))
    return np.concatenate(drawn, axis=1)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a confusion matrix to resample. Those with one cell resample to themselves: most, of many classes."""

    true: Counts
    correct: Counts
    predicted: Counts
    """Counts, (k,), of the rows with one cell."""
    others: tuple[tuple[int, NDArray[np.intp], Floats], ...]
    """Of each other row its number, its cells that are not empty, and their shares."""


def _rows(confusion: ConfusionCells) -> _Rows:
    true = confusion.class_counts.true.astype(np.int64)
    cells = np.bincount(confusion.true, minlength=confusion.classes)
    alone = cells[confusion.true] == 1
    certain = ConfusionCells(
        confusion.true[alone], confusion.predicted[alone], confusion.count[alone], confusion.classes
    ).class_counts
    ends, others = np.cumsum(cells), []
    for row in np.flatnonzero(cells > 1).tolist():
        inside = slice(ends[row] - cells[row], ends[row])
        others.append((row, confusion.predicted[inside], confusion.count[inside] / true[row]))
    return _Rows(true, certain.correct.astype(np.int64), certain.predicted.astype(np.int64), tuple(others))


def _resample_rows(rows: _Rows, count: int, *, rng: np.random.Generator) -> ClassCounts:
    """Counts of `count` resampled confusion matrices, int64 (count, k); cells of 0 remain 0."""
    correct, predicted = np.zeros((2, count, len(rows.true)), dtype=np.int64)
    correct += rows.correct
    predicted += rows.predicted
    for row, cells, shares in rows.others:
        drawn = rng.multinomial(rows.true[row], shares, size=count)
        predicted[:, cells] += drawn
        correct[:, row] = drawn[:, cells == row].sum(axis=1)
    return ClassCounts(correct, rows.true, predicted)


def worst_credible(true: Numbers, effect: float = 1.0, quantile: float = Z) -> ClassCounts:
    """Compute the worst counts, (1, k) each, that are still credible where all of `true`, (k,), are correct.

    The recall of every class is the lower end of Wilson's interval, its mistakes spread evenly over the other
    classes. The trials are those of the mean of the classes' recalls: with classes of equal size, all images. Divided
    by `effect`, they are the effective number for images in groups.
    """
    true = true.astype(np.float64)
    sizes = true[true > 0]
    trials = len(sizes) ** 2 / float((1 / sizes).sum())
    share = wilson_at(1.0, max(trials / effect, 1.0), quantile).low
    elsewhere = (1 - share) / max(len(true) - 1, 1) * true
    correct = share * true
    predicted = correct + elsewhere.sum() - elsewhere
    return ClassCounts(correct[np.newaxis], (correct + (len(true) - 1) * elsewhere)[np.newaxis], predicted[np.newaxis])


def bessel_factors(sizes: NDArray[np.integer]) -> Floats:
    """Compute Bessel's correction n / (n - 1) of strata of these sizes; 0 for one image."""
    factors: Floats = np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 0.0)
    return factors


def chunk_sizes(resamples: int, size: int) -> list[int]:
    """Return numbers of resamples, of `size` numbers each, to draw at a time, so that memory is bounded."""
    largest = max(1, CHUNK_NUMBERS // size)
    full, rest = divmod(resamples, largest)
    return [largest] * full + [rest] * (rest > 0)


def _percentile(value: float, drawn: Floats) -> Estimate:
    low, high = np.quantile(drawn, QUANTILES)
    return enclose(value, float(low), float(high))


def enclose(value: float, low: float, high: float) -> Estimate:
    """Widen the interval to its value, which rounding, or the edge of its range, may leave just outside."""
    return Estimate(value, min(low, value), max(high, value))


def mean_over_folds(values: list[float], *, held_out: float) -> Estimate:
    """Estimate the mean of a proportion, in [0, 1], over two or more folds; at 95 %, within [0, 1].

    `held_out` is the number of test images of a fold over its training images: 1 / (k - 1) for k folds. Student's
    interval assumes independent folds; as their training images overlap, the variance of the mean is
    (1/k + held_out) times that of the values, in place of 1/k. Source: Nadeau & Bengio, Inference for the
    Generalization Error (2003), their corrected resampled t-test; for k-fold a rule of thumb.
    """
    count, mean = len(values), math.fsum(values) / len(values)
    half = student_quantile(count - 1) * stdev(values) * math.sqrt(1 / count + held_out)
    return Estimate(mean, max(mean - half, 0.0), min(mean + half, 1.0))


def student_quantile(freedom: int, level: float = LEVEL) -> float:
    """Compute the t for which Student's distribution of `freedom` >= 1 degrees has the share `level` in (-t, t).

    Implemented here, as importing scipy.stats takes a second.
    """
    low, high = 0.0, 1.0
    while _within(high, freedom) < level:
        low, high = high, 2 * high
    for _ in range(60):  # bisections: to the last digit of a float
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < level else (low, middle)
    return (low + high) / 2


def _within(t: float, freedom: int) -> float:
    """The probability that Student's t is in (-t, t). Source: Abramowitz & Stegun (1964), 26.7.3 and 26.7.4."""
    angle, odd = math.atan(t / math.sqrt(freedom)), freedom % 2
    square = math.cos(angle) ** 2
    term = math.cos(angle) if odd else 1.0
    terms = []
    for power in range(odd, freedom - 1, 2):
        terms.append(term)
        term *= square * (power + 1) / (power + 2)
    total = math.sin(angle) * math.fsum(terms)
    return 2 / math.pi * (angle + total) if odd else total
