"""Groups of images that are not independent: photos of one sender, one patient, one burst, one family of duplicates.

Images of a group tend to be predicted correctly together, so that n images in a few groups say less than n images of
their own. `Design` tells by how much, for one set of values: the effective number of images is n / `effect`, and
`quantile` takes the place of the normal one, since few groups say little about how far groups differ.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DatasetError
from tellapart.judging.intervals import Z, student_quantile

MIN_GROUPS = 10  # with fewer, no interval can be trusted
LARGE_SHARE = 0.5  # of the images in one group: from then on that group decides
PRIOR_WEIGHT = 0.1  # of a correlation of 1, in degrees of freedom
ITERATIONS = 2  # of the optimal weights: a third hardly changes them
TABLED_FREEDOM = 20  # above it Student's quantile is a series in 1 / freedom

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Names = Sequence[str] | NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Groups:
    """The group of each image, int (n,) in [0, count); every group has an image."""

    index: Indices
    count: int

    @staticmethod
    def of(names: Names, n: int) -> "Groups":
        """Number the groups of n images by name. Raises DatasetError where there is not a name for each image."""
        if len(names) != n:
            raise DatasetError(f"there are {len(names):,} groups for {n:,} images: give each image its own")
        index = np.unique(np.asarray(names), return_inverse=True)[1].astype(np.intp)
        return Groups(index, int(index.max(initial=-1)) + 1)

    def take(self, images: NDArray[np.integer] | NDArray[np.bool_]) -> "Groups":
        """Select images, by index or mask; groups that have none of them are dropped."""
        chosen = self.index[images]
        return Groups.of(chosen, len(chosen))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of images of each group, int64 (count,)."""
        return np.bincount(self.index, minlength=self.count)

    def sums(self, values: Floats) -> Floats:
        """Add up values, float64 (n,), by group: float64 (count,)."""
        sums: Floats = np.bincount(self.index, values, minlength=self.count).astype(np.float64)
        return sums


@dataclass(frozen=True)
class Design:
    """The variance of a mean over that of independent images, 1 or more, and the quantile of its interval."""

    effect: float
    quantile: float


INDEPENDENT = Design(1.0, Z)


def dependent(groups: Groups | None) -> Groups | None:
    """Return the groups if any has two images; else None, since the images are then independent."""
    return groups if groups is not None and groups.count < len(groups.index) else None


def design(values: Floats, groups: Groups) -> Design:
    """Measure by how much groups widen the interval of the mean of `values`, float64 (n,).

    The effect is 1 + (K - 1) r, where K is the mean size of an image's group and r the correlation of two images of a
    group. r is shrunk towards 1, the more so the fewer groups, or values other than the most common one, there are:
    a single mistake does not tell whether mistakes come together, and no mistake leaves each group to count as one
    image. Sources of the effect: Kish, Survey Sampling (1965), 5.4; of the quantile, Student's with Satterthwaite's
    degrees of freedom: the part of the variance between groups has one less than there are groups.
    """
    n = len(values)
    correlated = float(np.square(groups.sizes, dtype=np.float64).sum()) / n - 1
    unusual = n - int(np.unique(values, return_counts=True)[1].max())
    freedom = min(groups.count - 1, max(unusual - 1, 0))
    shrunk = (freedom * intraclass_correlation(values, groups) + PRIOR_WEIGHT) / (freedom + PRIOR_WEIGHT)
    effect = 1 + correlated * shrunk
    between = correlated * shrunk / effect
    return Design(effect, student(max(groups.count - 1, 1) / max(between, 1e-3) ** 2))


def intraclass_correlation(values: Floats, groups: Groups) -> float:
    """Estimate the correlation, in [0, 1], of two images of a group: the mean of two estimates.

    The first weighs groups by their images, as the analysis of variance does; the second by what each tells, so that
    one huge group does not hide the differences among the others. Source: Kleinman, Proportions with extraneous
    variance: single and independent samples (1973).
    """
    sizes, count, n = groups.sizes.astype(np.float64), groups.count, len(values)
    if count in (1, n):
        return 1.0
    means = groups.sums(values) / sizes
    within = float(np.square(values - means[groups.index]).sum()) / (n - count)
    by_images = _correlation(means, within, sizes, sizes / n)
    correlation = by_images
    for _ in range(ITERATIONS):
        weights = sizes / (1 + (sizes - 1) * correlation)
        correlation = _correlation(means, within, sizes, weights / weights.sum())
    return (by_images + correlation) / 2


def student(freedom: float) -> float:
    """Compute the quantile of Student's distribution for the level of the intervals; freedom is 1 or more.

    Exact for whole numbers up to 20, within 3 % between 1 and 2, and closer above.
    """
    if freedom > TABLED_FREEDOM:
        first, second = (Z**3 + Z) / 4, (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96
        third = (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384
        return Z + first / freedom + second / freedom**2 + third / freedom**3
    low = min(int(freedom), TABLED_FREEDOM - 1)
    part = (1 / low - 1 / freedom) / (1 / low - 1 / (low + 1))
    return float(_tabled(low) ** (1 - part) * _tabled(low + 1) ** part)


def trust_warning(groups: Groups | None) -> str | None:
    """Say where intervals cannot be trusted: few groups, or one that has most images."""
    if groups is None:
        return None
    n, largest = len(groups.index), int(groups.sizes.max())
    if groups.count < MIN_GROUPS:
        return (
            f"the {n:,} images are of only {groups.count:,} group{'s' * (groups.count != 1)}: with fewer than "
            f"{MIN_GROUPS} no interval can be trusted, so add images of other groups"
        )
    if largest > LARGE_SHARE * n:
        return (
            f"one of the {groups.count:,} groups has {largest:,} of the {n:,} images: the numbers are "
            "mostly about that group, and the intervals assume that it is like the others"
        )
    return None


def sign_flip_test(differences: NDArray[np.int64]) -> float:
    """Compute the two-sided p-value of a sum of whole numbers, int64 (groups,), whose signs are random if all is equal.

    Exact, and McNemar's exact test where every number is -1, 0 or 1. Source: Fisher's randomisation test of paired
    differences, The Design of Experiments (1935), 21, with a group in place of a pair.
    """
    steps = np.abs(differences[differences != 0])
    total, seen = int(steps.sum()), abs(int(differences.sum()))
    chances, reach = np.zeros(total + 1), 0  # of the sum of those that are positive
    chances[0] = 1.0
    for step in np.sort(steps).tolist():
        chances[step : reach + step + 1] = chances[step : reach + step + 1] + chances[: reach + 1]
        chances[: reach + step + 1] /= 2
        reach += step
    sums = np.abs(2 * np.arange(total + 1) - total)
    return min(1.0, math.fsum(chances[sums >= seen]))


def _correlation(means: Floats, within: float, sizes: Floats, weights: Floats) -> float:
    """The correlation at which the weighted squares of the groups' means around their mean are as expected."""
    around = means - float(weights @ means)
    squares = float(weights @ np.square(around))
    if within <= 0:
        return 1.0 if squares > 0 else 0.0
    apart, by_chance = float((weights * (1 - weights)).sum()), float((weights * (1 - weights) / sizes).sum())
    odds = max(squares / within - by_chance, 0.0) / apart
    return odds / (1 + odds)


@cache
def _tabled(freedom: int) -> float:
    return student_quantile(freedom)
