"""How long after one trial of a sweep the next one begins, on cached features of the clothing photos.

    python benchmarks/trial_starts.py PHOTOS WEIGHTS [--size 150]

The tutorials' study, each trial of 10 epochs. From the end of a trial's last judging on validation to the start of the
next one's first epoch, 0 where that was trained beside it; and how much longer that epoch takes than the second: what
is compiled late would show there.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import median
from tellapart import Dataset, Recipe, sweep
from tellapart.backend import load_keras

if TYPE_CHECKING:
    from tellapart.progress import Advance
    from tellapart.training.fitting.examples import Examples
    from tellapart.training.fitting.loop import Loop, Score

VARY = ("learning_rate=1e-4,1e-3,1e-2,1e-1", "inner=10,100,1000", "dropout=0,0.2,0.5,0.8")
ASKED = 0.3  # seconds


@dataclass
class Mark:
    """When an epoch began and ended, judging included."""

    began: float
    ended: float


Marks = dict[Recipe, list[Mark]]
"""The epochs of each trial, in the order in which the trials began."""


def main() -> None:
    """Sweep twice: the first time fills the cache; then print the waits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=150)
    options = parser.parse_args()
    load_keras()
    dataset = Dataset.open(options.photos)
    recipe = Recipe(weights=options.weights, size=options.size, epochs=10, patience=100)
    marks: Marks = {}
    with tempfile.TemporaryDirectory() as folder:
        sweep(dataset, recipe, VARY[:1], out=Path(folder) / "first")
        watch(marks)
        sweep(dataset, recipe, VARY, out=Path(folder) / "second")
    trials = list(marks.values())
    waits = [max(0.0, after[0].began - before[-1].ended) for before, after in pairwise(trials)]
    late = [length(trial[0]) - length(trial[1]) for trial in trials[1:]]
    print(f"{len(waits)} trials after the first began {median(waits):.3f} s after the one before (median)")
    print(f"the longest wait: {max(waits):.3f} s   (asked: {ASKED})")
    print(f"first epochs took {median(late):.3f} s longer than second ones (median), at most {max(late):.3f} s")


def length(mark: Mark) -> float:
    """Seconds of an epoch."""
    return mark.ended - mark.began


def watch(marks: Marks) -> None:
    """Note when each epoch of every loop begins and ends."""
    from tellapart.training.fitting.loop import Loop

    epoch, score = Loop.epoch, Loop.score

    def watched_epoch(
        self: "Loop", examples: "Examples", number: int, advance: "Advance", *, rate_factor: float
    ) -> "Score":
        mark = Mark(time.perf_counter(), 0.0)
        marks.setdefault(self.recipe, []).append(mark)
        return epoch(self, examples, number, advance, rate_factor=rate_factor)

    def watched_score(self: "Loop", examples: "Examples") -> "Score":
        result = score(self, examples)
        if len(examples) > 1:  # not the compiler's
            marks[self.recipe][-1].ended = time.perf_counter()
        return result

    Loop.epoch, Loop.score = watched_epoch, watched_score


if __name__ == "__main__":
    main()
