"""Mean over cross-validation folds, with an interval that allows for their shared training images."""

import math
from statistics import stdev

from tellapart.judging.intervals import LEVEL, Estimate


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
