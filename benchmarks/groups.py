"""How often 95 % intervals of images in groups contain the truth about other groups, in simulated sets.

python benchmarks/groups.py [--sets 1000]

In each set the accuracy differs by group (beta-binomial, correlation 0.15), and so do losses, scores and the
difference of two classifiers.
"""

import argparse
import math
from collections import Counter
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from measuring import Table
from tellapart.judging import per_class
from tellapart.judging.clustered import confusion_statistics, means, proportion
from tellapart.judging.confusion import class_counts
from tellapart.judging.groups import Groups, design, sign_flip_test
from tellapart.judging.intervals import Estimate
from tellapart.judging.paired import paired_difference
from tellapart.judging.ranking import class_areas, roc_auc

CLASSES, TRUTH, CORRELATION, RESAMPLES = 4, 0.75, 0.15, 500
STATISTICS = {"balanced_accuracy": per_class.mean_recall, "macro_f1": per_class.mean_f1}
COLUMNS = ("accuracy", "loss", *STATISTICS, "area", "paired", "test")
AREA = NormalDist().cdf(1.2 / math.sqrt(2.5))


def sizes() -> dict[str, NDArray[np.int64]]:
    """Return the number of images of each group, by name of the design."""
    unequal = np.exp(np.random.default_rng(5).normal(3, 1, 61)).round().astype(np.int64).clip(2)
    return {
        "10 equal": np.full(10, 30),
        "15 unequal": unequal[:15],
        "46 unequal": unequal[15:],
        "20, one of them 30 %": np.array([160, *[20] * 19]),
        "20, one of them 50 %": np.array([380, *[20] * 19]),
        "200 equal": np.full(200, 8),
    }


def one_set(groups: Groups, rng: np.random.Generator) -> dict[str, bool]:
    """Draw a set, and return which intervals contain the truth."""
    n, index, spread = len(groups.index), groups.index, 1 / CORRELATION - 1
    rates = rng.beta(TRUTH * spread, (1 - TRUTH) * spread, groups.count)[index]
    labels, hits = rng.integers(CLASSES, size=n), rng.random(n) < rates
    predicted = np.where(hits, labels, (labels + rng.integers(1, CLASSES, size=n)) % CLASSES)
    estimates: dict[str, tuple[Estimate, float]] = {"accuracy": (proportion(hits, groups), TRUTH)}
    losses = rng.exponential(rng.gamma(4, 1 / 4, groups.count)[index])
    estimates["loss"] = (means([losses], labels, groups, rng=rng, resamples=RESAMPLES)[0], 1.0)
    shares = np.full((CLASSES, CLASSES), (1 - TRUTH) / (CLASSES - 1))
    np.fill_diagonal(shares, TRUTH)
    found = confusion_statistics(labels, predicted, CLASSES, STATISTICS, groups, rng=rng, resamples=RESAMPLES)
    estimates |= {name: (found[name], float(of(class_counts(shares)))) for name, of in STATISTICS.items()}
    positive = rng.random(n) < 0.3
    scores = rng.normal(size=n) + rng.normal(0, 0.5, groups.count)[index] + 1.2 * positive
    area = class_areas(positive.astype(np.intp), np.stack([-scores, scores], axis=1), roc_auc, groups).by_class[1]
    if area is not None:
        estimates["area"] = (area, AREA)
    apart = rng.normal(0, 0.15, groups.count)[index]
    a, b = rng.random(n) < (TRUTH + apart).clip(0, 1), rng.random(n) < (TRUTH - apart).clip(0, 1)
    shape = design(a.astype(np.float64) - b, groups)
    estimates["paired"] = (paired_difference(int((a & ~b).sum()), int((b & ~a).sum()), n, shape), 0.0)
    p_value = sign_flip_test(np.rint(groups.sums(a.astype(np.float64) - b)).astype(np.int64))
    return {name: e.low <= truth <= e.high for name, (e, truth) in estimates.items()} | {"test": p_value > 0.05}


def main() -> None:
    """Simulate sets of each design."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1_000)
    options = parser.parse_args()
    rng, table = np.random.default_rng(0), Table("images by group", *COLUMNS)
    for name, counts in sizes().items():
        groups, covered = Groups(np.repeat(np.arange(len(counts)), counts), len(counts)), Counter[str]()
        for _ in range(options.sets):
            covered.update(name for name, inside in one_set(groups, rng).items() if inside)
        table.row(name, *(f"{100 * covered[column] / options.sets:.1f}" for column in COLUMNS))
    table.print()


if __name__ == "__main__":
    main()
