"""Areas under ROC and precision-recall curves: how well the probability of a class ranks its images first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.clustered import variance
from tellapart.judging.groups import Groups, dependent, student
from tellapart.judging.intervals import Estimate, stratified_variance, wilson_from_variance

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Area:
    """An area under a curve, in [0, 1], and what its interval is computed from.

    `influence`, float64 (n,), is the derivative of the value by each image's weight, of mean 0. The interval is at
    least as wide as that of a proportion of `trials` trials.
    """

    value: float
    influence: Floats
    trials: float


@dataclass(frozen=True)
class ClassAreas:
    """The estimate of each class, None where undefined, and of their mean over the classes that have one."""

    by_class: tuple[Estimate | None, ...]
    mean: Estimate | None


BLOCK = 64  # columns of probabilities that are copied at a time, since their numbers are far apart in memory


@dataclass(frozen=True, eq=False)
class _Steps:
    """The distinct scores of positives in rising order, at which alone the curves move.

    `positives` are those at each, `above` the images with more than it, `equal` those with as much, float64 each. Of
    each image `index` is the number of steps up to its score, and `on_step` says whether its score is one of them.
    """

    positives: Floats
    above: Floats
    equal: Floats
    index: NDArray[np.intp]
    on_step: Flags


def roc_auc(positive: Flags, scores: NDArray[np.floating]) -> Area | None:
    """Measure how often a positive has a higher score than a negative, ties counted as a half; None without both.

    `positive` is bool (n,), `scores` float (n,). The influence of an image is its placement among the images of the
    other class. Source: DeLong et al., Comparing the Areas under Two or More Correlated ROC Curves (1988); the trials
    are twice those that Newcombe's method 5 implies for an area of 1, Confidence intervals for an effect size measure
    based on the Mann-Whitney statistic (2006), as his interval is wider than necessary below 1.
    """
    if positive.all() or not positive.any():
        return None
    steps = _steps(positive, scores)
    positives, n = float(steps.positives.sum()), len(scores)
    negatives = n - positives
    tied = steps.equal - steps.positives  # negatives
    below = n - steps.above - steps.equal - _sums_before(steps.positives) + tied / 2
    not_above = np.append(0.0, np.cumsum(steps.positives))[steps.index]
    above = positives - not_above + np.where(steps.on_step, steps.positives[steps.index - 1] / 2, 0.0)
    placement = np.where(positive, below[steps.index - 1] / negatives, above / positives)
    value = float(steps.positives @ below / (positives * negatives))
    influence = (placement - value) / np.where(positive, positives, negatives)
    return Area(value, influence, 8 * positives * negatives / (positives + negatives))


def average_precision(positive: Flags, scores: NDArray[np.floating]) -> Area | None:
    """Measure the area under precision over recall, a step for each distinct score; None without both classes.

    `positive` is bool (n,), `scores` float (n,). The value is scikit-learn's: the mean over positives of the
    precision among the images with at least their score; chance gives the share of positives. The influence is
    its derivative; the trials are twice the positives, while Boyd et al. use the positives: Area Under the
    Precision-Recall Curve: Point Estimates and Confidence Intervals (2013). With 100 positives among 1,000 its
    interval contains the truth 94 to 95 times in 100, with 40 among 400 it does 93 to 94 times.
    """
    if positive.all() or not positive.any():
        return None
    steps = _steps(positive, scores)
    positives = float(steps.positives.sum())
    retrieved = steps.above + steps.equal
    precision = (positives - _sums_before(steps.positives)) / retrieved
    value = float(steps.positives @ precision / positives)
    # An image is retrieved at every positive with at most its score, and moves the precision there.
    gain, loss = (
        np.append(0.0, np.cumsum(moved))[steps.index]
        for moved in (steps.positives / retrieved, steps.positives * precision / retrieved)
    )
    positive_gain = np.where(positive, precision[steps.index - 1] - value + gain, 0.0)
    return Area(value, (positive_gain - loss) / positives, 2 * positives)


def class_areas(
    labels: NDArray[np.integer],
    probs: NDArray[np.floating],
    measure: Callable[[Flags, NDArray[np.floating]], Area | None],
    groups: Groups | None = None,
) -> ClassAreas:
    """Estimate the area of every class, one against the rest, and the mean, with 95 % intervals.

    `labels` is int (n,), `probs` float (n, k). The variance is that of the summed influences within the true
    classes, which keep their sizes (the infinitesimal jackknife); see `intervals.wilson_from_variance`. With groups it
    is that of the sums of whole groups, see `clustered.variance`. Source: Obuchowski, Nonparametric analysis of
    clustered ROC curve data (1997).
    """
    by_class: list[Estimate | None] = []
    total, influence, inverse_trials, defined = 0.0, np.zeros(len(labels)), 0.0, 0
    for k, scores in enumerate(_columns(probs)):
        area = measure(labels == k, scores)
        by_class.append(None if area is None else _estimate(area, labels, groups, labels == k))
        if area is not None:
            total, influence, defined = total + area.value, influence + area.influence, defined + 1
            inverse_trials += 1 / area.trials
    if not defined:
        return ClassAreas(tuple(by_class), None)
    mean = Area(total / defined, influence / defined, defined**2 / inverse_trials)
    return ClassAreas(tuple(by_class), _estimate(mean, labels, groups))


def _estimate(
    area: Area, strata: NDArray[np.integer], groups: Groups | None, positive: Flags | None = None
) -> Estimate:
    clusters = dependent(groups)
    if clusters is not None:
        spread, shape = variance(area.influence, clusters)
        quantile = shape.quantile
        if positive is not None:  # few groups of a rare class are few, however many groups there are
            fewest = min(clusters.take(positive).count, clusters.take(~positive).count)
            quantile = max(quantile, student(max(fewest - 1, 1)))
        trials = max(area.trials / shape.effect, 1.0)
        return wilson_from_variance(area.value, spread, max_trials=trials, quantile=quantile)
    return wilson_from_variance(area.value, stratified_variance(area.influence, strata), max_trials=area.trials)


def _columns(probs: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """Yield the columns of probabilities, (n, k)."""
    for start in range(0, probs.shape[1], BLOCK):
        yield from np.ascontiguousarray(probs[:, start : start + BLOCK].T)


def _steps(positive: Flags, scores: NDArray[np.floating]) -> _Steps:
    distinct, positives = np.unique(scores[positive], return_counts=True)
    index = np.searchsorted(distinct, scores, side="right")
    on_step = (index > 0) & (distinct[index - 1] == scores)
    inside = np.bincount(index, minlength=len(distinct) + 1).astype(np.float64)  # from a step to below the next
    equal = np.bincount(index[on_step], minlength=len(distinct) + 1)[1:].astype(np.float64)
    above = np.cumsum(inside[:0:-1])[::-1] - equal
    return _Steps(positives.astype(np.float64), above, equal, index, on_step)


def _sums_before(counts: Floats) -> Floats:
    """For each step, the sum of the counts of all lower steps."""
    sums: Floats = np.cumsum(counts) - counts
    return sums
