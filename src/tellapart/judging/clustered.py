"""Estimates for images in groups: whole groups are resampled, and proportions have their effective number of images.

Each function also takes None for the groups, or groups of one image each: the images are then independent, and the
estimate is that of `intervals`.

The bootstrap draws as many groups as there are, with repetition. With few groups, or one that is much larger than the
others, it is too narrow; its ends are therefore moved away from the value until the variance is that of a model with
an effect of each group, and by Student's quantile over the normal one. Source of the bootstrap: Davison & Hinkley,
Bootstrap Methods and their Application (1997), 3.8; of widening it: Hesterberg, What Teachers Should Know About the
Bootstrap (2015), 6.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tellapart.judging import intervals
from tellapart.judging.confusion import ClassCounts, ConfusionCells
from tellapart.judging.groups import Design, Groups, dependent, design, student
from tellapart.judging.influence import influences
from tellapart.judging.intervals import QUANTILES, RESAMPLES, Estimate, Statistic, Z
from tellapart.judging.per_class import ClassScores, f1_from_jaccard

MAX_OPERATIONS = 2e10  # of the product of resamples and groups: then fewer resamples are drawn
MIN_RESAMPLES = 1_000

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Labels = NDArray[np.integer]


def proportion(hits: Bools, groups: Groups | None) -> Estimate:
    """Estimate the share of hits, bool (n,), n >= 1: Wilson's interval at the effective number of images."""
    clusters = dependent(groups)
    n, count = len(hits), int(np.count_nonzero(hits))
    if clusters is None:
        return intervals.wilson(count, n)
    shape = design(hits.astype(np.float64), clusters)
    return intervals.wilson_at(count / n, max(n / shape.effect, 1.0), shape.quantile)


def means(
    columns: Sequence[Floats],
    strata: Labels,
    groups: Groups | None,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    least: float = -math.inf,
) -> list[Estimate]:
    """Estimate the means of several values of the same images, each float64 (n,), from the same resamples.

    Independent images are resampled within strata, int (n,); groups as wholes. No value is below `least`.
    """
    clusters = dependent(groups)
    if clusters is None:
        return intervals.bootstrap_means(columns, strata, rng=rng, resamples=resamples)
    sums = np.stack([clusters.sums(values) for values in columns], axis=1)
    drawn = []
    for counts in draw_groups(clusters, sums.shape[1], rng=rng, resamples=resamples):
        drawn.append((counts @ sums) / (counts @ clusters.sizes)[:, np.newaxis])
    resampled = np.concatenate(drawn)
    return [
        _widened(
            float(values.mean()), resampled[:, i], (values - values.mean()) / len(values), clusters, (least, math.inf)
        )
        for i, values in enumerate(columns)
    ]


def confusion_statistics(
    labels: Labels,
    predicted: Labels,
    classes: int,
    statistics: Mapping[str, Statistic],
    groups: Groups,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Estimate statistics, each at most 1, of the confusion matrix of labels and predictions, int (n,).

    Where there is no mistake to draw, the lower end is the statistic of `intervals.worst_credible` at the effective
    number of images.
    """
    correct = labels == predicted
    if correct.all():
        shape = design(np.ones(len(labels)), groups)
        worst = intervals.worst_credible(np.bincount(labels, minlength=classes), shape.effect, shape.quantile)
        return {
            name: Estimate(1.0, min(float(statistic(worst)[0]), 1.0), 1.0) for name, statistic in statistics.items()
        }
    correct_by_group = _by_group(labels[correct], groups.index[correct], groups.count, classes)
    true_by_group = _by_group(labels, groups.index, groups.count, classes)
    predicted_by_group = _by_group(predicted, groups.index, groups.count, classes)
    drawn: dict[str, list[Floats]] = {name: [] for name in statistics}
    for weights in draw_groups(groups, 3 * classes, rng=rng, resamples=resamples):
        counts = ClassCounts(weights @ correct_by_group, weights @ true_by_group, weights @ predicted_by_group)
        for name, statistic in statistics.items():
            drawn[name].append(statistic(counts))
    counts = ConfusionCells.of(labels, predicted, classes).class_counts
    return {
        name: _widened(
            float(statistic(counts)),
            np.concatenate(drawn[name]),
            influences(name, labels, predicted, counts),
            groups,
            (-1.0 if name == "matthews" else 0.0, 1.0),
        )
        for name, statistic in statistics.items()
    }


def class_scores(
    scores: Sequence[ClassScores], labels: Labels, predicted: Labels, groups: Groups
) -> tuple[ClassScores, ...]:
    """Replace the intervals of precision, recall and F1, and add the number of groups of each class's images."""
    return tuple(_of_class(score, labels == i, predicted == i, groups) for i, score in enumerate(scores))


def variance(influence: Floats, groups: Groups) -> tuple[float, Design]:
    """Compute the variance of the sum of `influence`, float64 (n,) of mean 0, over groups, and its design.

    It is that of independent images times the effect, or that of the sums of the groups where this is larger: groups
    with more images may differ otherwise.
    """
    n, shape = len(influence), design(influence, groups)
    independent = float(np.square(influence).sum()) * n / max(n - 1, 1)
    by_group = float(np.square(groups.sums(influence)).sum()) * groups.count / max(groups.count - 1, 1)
    return max(independent * shape.effect, by_group), shape


def draw_groups(
    groups: Groups, columns: int, *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Iterator[Floats]:
    """Draw how often each group is in each resample: float64 (some, count) at a time.

    `columns` is the number of sums that each resample will be multiplied into; with very many, fewer are drawn.
    """
    wanted = min(resamples, int(max(MIN_RESAMPLES, MAX_OPERATIONS / (groups.count * columns))))
    for size in intervals.chunk_sizes(wanted, max(groups.count, columns)):
        drawn = rng.integers(groups.count, size=(size, groups.count))
        cells = (drawn + groups.count * np.arange(size)[:, np.newaxis]).ravel()
        counts = np.bincount(cells, minlength=size * groups.count)
        yield counts.reshape(size, groups.count).astype(np.float64)


def _of_class(score: ClassScores, true: Bools, chosen: Bools, groups: Groups) -> ClassScores:
    def share(of: Bools) -> Estimate:
        return proportion((true & chosen)[of], groups.take(of))

    return replace(
        score,
        groups=groups.take(true).count,
        precision=score.precision and share(chosen),
        recall=score.recall and share(true),
        f1=score.f1 and f1_from_jaccard(share(true | chosen)),
    )


def _widened(value: float, drawn: Floats, influence: Floats, groups: Groups, bounds: tuple[float, float]) -> Estimate:
    """The percentiles of a bootstrap, moved away from the value as the module says, within bounds."""
    expected, _ = variance(influence, groups)
    seen = float(drawn.var())
    ratio = max(expected / seen if seen else 0.0, groups.count / max(groups.count - 1, 1))
    low, high = value + math.sqrt(ratio) * student(max(groups.count - 1, 1)) / Z * (
        np.quantile(drawn, QUANTILES) - value
    )
    return intervals.enclose(value, max(float(low), bounds[0]), min(float(high), bounds[1]))


def _by_group(values: Labels, index: NDArray[np.intp], count: int, classes: int) -> Floats:
    """The number of images of each class in each group: float64 (count, classes)."""
    cells = index * classes + values
    return np.bincount(cells, minlength=count * classes).reshape(count, classes).astype(np.float64)
