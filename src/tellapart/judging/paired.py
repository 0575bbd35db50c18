"""Paired comparison of two classifiers on the same images, with tests of whether chance explains the difference.

Differences are a's minus b's. Both classifiers find the same images hard, so that a paired difference has a much
narrower interval than the two values themselves.
"""

import math
from dataclasses import asdict, dataclass, replace
from itertools import accumulate, chain
from operator import mul

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DatasetError
from tellapart.judging.clustered import means
from tellapart.judging.groups import INDEPENDENT, Design, Groups, Names, dependent, design, sign_flip_test
from tellapart.judging.intervals import RESAMPLES, Estimate
from tellapart.judging.metrics import log_losses

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class McNemar:
    """Numbers of images that only a and only b predicts correctly, and the p-value of such a difference."""

    only_a: int
    only_b: int
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """Differences of a and b on `n` images: positive if a has the higher accuracy, or the higher (worse) log-loss."""

    n: int
    accuracy_difference: Estimate
    log_loss_difference: Estimate
    mcnemar: McNemar
    groups: int | None = None
    """The number of groups of the images, None where unknown."""

    def as_json(self) -> dict[str, object]:
        """`{"n", "groups", "accuracy_difference": {"value", "low", "high"}, ...}`, without groups where unknown."""
        values = asdict(self)
        groups = values.pop("groups")
        return {"n": values.pop("n")} | ({} if groups is None else {"groups": groups}) | values


def compare(
    labels: NDArray[np.integer],
    probs_a: NDArray[np.floating],
    probs_b: NDArray[np.floating],
    *,
    seed: int = 0,
    groups: Names | None = None,
) -> Comparison:
    """Compare probabilities, float (n, k), of two classifiers for labels, int (n,). Raises DatasetError.

    The two may have different numbers of classes, as long as label i is the same class in both. With `groups`, a name
    for each image, whole groups are resampled, and the test is `sign_flip_test`: chance decides for each group which
    of the two classifiers is a.
    """
    if not len(labels) == len(probs_a) == len(probs_b):
        raise DatasetError(
            f"there are {len(labels):,} labels, {len(probs_a):,} and {len(probs_b):,} predictions, expected one of "
            "each for every image: judge both classifiers on the same images in the same order"
        )
    correct_a, correct_b = probs_a.argmax(axis=1) == labels, probs_b.argmax(axis=1) == labels
    test, shape = mcnemar(correct_a, correct_b), INDEPENDENT
    named = None if groups is None else Groups.of(groups, len(labels))
    clusters = dependent(named)
    if clusters is not None:
        differences = correct_a.astype(np.float64) - correct_b
        shape = design(differences, clusters)
        test = replace(test, p_value=sign_flip_test(np.rint(clusters.sums(differences)).astype(np.int64)))
    losses_a, losses_b, rng = log_losses(labels, probs_a), log_losses(labels, probs_b), np.random.default_rng(seed)
    return Comparison(
        n=len(labels),
        accuracy_difference=paired_difference(test.only_a, test.only_b, len(labels), shape),
        log_loss_difference=paired_bootstrap(losses_a, losses_b, labels, rng=rng, groups=clusters),
        mcnemar=test,
        groups=None if named is None else named.count,
    )


def mcnemar(correct_a: Bools, correct_b: Bools) -> McNemar:
    """Run the exact two-sided test of whether two classifiers are equally often correct: bool (n,) each.

    Images on which both are correct, or both incorrect, are ignored; of the others each wins half by chance.
    Source: McNemar, Note on the sampling error of the difference between correlated proportions (1947).
    """
    only_a, only_b = int(np.count_nonzero(correct_a & ~correct_b)), int(np.count_nonzero(correct_b & ~correct_a))
    return McNemar(only_a, only_b, min(1.0, 2 * _tail(min(only_a, only_b), only_a + only_b)))


def paired_difference(only_a: int, only_b: int, n: int, shape: Design = INDEPENDENT) -> Estimate:
    """Estimate the difference of two proportions, in [-1, 1], from n >= 1 pairs of which only_a + only_b differ.

    `shape` is the design of the differences of pairs in groups: all numbers are then divided by its effect.

    Wald's interval with one added to each count. A bootstrap is too narrow where few images differ, and has no width
    where none does: with 3 of 100 pairs different, it covers the truth 86 times in 100, and this more than 95 times.
    Source: Bonett & Price, Adjusted Wald confidence interval for a difference of binomial proportions based on paired
    data (2012).
    """
    pairs = max(n / shape.effect, 1.0)
    value, a, b = (only_a - only_b) / n, (only_a * pairs / n + 1) / (pairs + 2), (only_b * pairs / n + 1) / (pairs + 2)
    half = shape.quantile * math.sqrt((a + b - (a - b) ** 2) / (pairs + 2))
    return Estimate(value, max(min(a - b - half, value), -1.0), min(max(a - b + half, value), 1.0))


def paired_bootstrap(
    values_a: Floats,
    values_b: Floats,
    strata: NDArray[np.integer],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    groups: Groups | None = None,
) -> Estimate:
    """Estimate the mean of values_a - values_b, float64 (n,), image by image.

    Images are resampled within strata, int (n,), or with their groups.
    """
    return means([values_a - values_b], strata, groups, rng=rng, resamples=resamples)[0]


def _tail(heads: int, n: int) -> float:
    """The probability of at most `heads` heads in n throws of a coin."""
    largest = math.comb(n, heads) / 2**n  # a quotient of integers neither overflows nor loses a digit
    ratios = (count / (n - count + 1) for count in range(heads, 0, -1))
    return math.fsum(accumulate(chain([largest], ratios), mul))
