"""How long all metrics take with their 95 % intervals, of 10,000 resamples each.

python benchmarks/intervals.py [--repeats 5]
"""

import argparse
import time

import numpy as np

from measuring import Table, median
from tellapart.judging.evaluation import judge

CASES = ((372, 10), (10_000, 2), (10_000, 10), (10_000, 100))


def seconds(images: int, classes: int) -> float:
    """Judge made-up answers that are right about nine times in ten."""
    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=images)
    weights = np.exp(rng.normal(size=(images, classes)) + 3 * np.eye(classes)[labels])
    probs = weights / weights.sum(axis=1, keepdims=True)
    started = time.perf_counter()
    judge(labels, probs, tuple(map(str, range(classes))))
    return time.perf_counter() - started


def main() -> None:
    """Judge each case several times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    table = Table("images", "classes", "seconds (median)", "least", "most")
    for images, classes in CASES:
        found = [seconds(images, classes) for _ in range(options.repeats)]
        table.row(f"{images:,}", str(classes), *(f"{value:.2f}" for value in (median(found), min(found), max(found))))
    table.print()
    print("asked: 10,000 images in less than 5 s")


if __name__ == "__main__":
    main()
