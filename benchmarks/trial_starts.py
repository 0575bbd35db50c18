"""How long after one trial of a sweep the next one begins, on cached features of the clothing photos.

    python benchmarks/trial_starts.py PHOTOS WEIGHTS [--size 150]

The tutorials' study, each trial of 10 epochs. From the end of a trial's last judging on validation to the start of the
next one's first epoch, and how much longer that takes than its second: what is compiled late would show there.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import median
from tellapart import Dataset, Recipe, sweep
from tellapart.backend import load_keras

if TYPE_CHECKING:
    from tellapart.progress import Advance
    from tellapart.training.examples import Examples
    from tellapart.training.loop import Loop, Score

VARY = ("learning_rate=1e-4,1e-3,1e-2,1e-1", "inner=10,100,1000", "dropout=0,0.2,0.5,0.8")
ASKED = 0.3  # seconds


@dataclass
class Mark:
    """When an epoch began and ended, judging included."""

    epoch: int
    began: float
    ended: float


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
    marks: list[Mark] = []
    with tempfile.TemporaryDirectory() as folder:
        sweep(dataset, recipe, VARY[:1], out=Path(folder) / "first")
        watch(marks)
        sweep(dataset, recipe, VARY, out=Path(folder) / "second")
    starts = [place for place, mark in enumerate(marks) if mark.epoch == 0 and place]
    waits = [marks[place].began - marks[place - 1].ended for place in starts]
    late = [length(marks[place]) - length(marks[place + 1]) for place in starts]
    print(f"{len(waits)} trials after the first began {median(waits):.3f} s after the one before (median)")
    print(f"the longest wait: {max(waits):.3f} s   (asked: {ASKED})")
    print(f"first epochs took {median(late):.3f} s longer than second ones (median), at most {max(late):.3f} s")


def length(mark: Mark) -> float:
    """Seconds of an epoch."""
    return mark.ended - mark.began


def watch(marks: list[Mark]) -> None:
    """Note when each epoch of every loop begins and ends."""
    from tellapart.training.loop import Loop

    epoch, score = Loop.epoch, Loop.score

    def watched_epoch(self: "Loop", examples: "Examples", number: int, advance: "Advance", *, slower: float) -> "Score":
        began = time.perf_counter()
        result = epoch(self, examples, number, advance, slower=slower)
        marks.append(Mark(number, began, time.perf_counter()))
        return result

    def watched_score(self: "Loop", examples: "Examples") -> "Score":
        result = score(self, examples)
        if marks and len(examples) > 1:
            marks[-1].ended = time.perf_counter()
        return result

    Loop.epoch, Loop.score = watched_epoch, watched_score


if __name__ == "__main__":
    main()
