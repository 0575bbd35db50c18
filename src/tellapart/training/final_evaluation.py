"""What the finished classifier is worth. Here, after every choice, the test split is opened. No Keras here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.evaluate import judged, unseen
from tellapart.bundles.stored_predictions import Answers, answers_about, write_answers
from tellapart.data.dataset import Dataset, Pictures, Readable, Skipped
from tellapart.judging.calibration import temperature, tempered
from tellapart.judging.metrics import ece

SPLITS = ("validation", "test")
Ask = Callable[[Pictures, str], Readable]
"""From pictures and what to call the work: the probabilities of those that can be read, float32 (n, classes)."""


@dataclass(frozen=True)
class Verdict:
    """Metrics by split, the temperature that validation asked for, what was said of each picture, what is unreadable.

    Metrics and answers are those of the calibrated classifier.
    """

    metrics: Mapping[str, Any]
    calibration: Mapping[str, float] | None
    answers: Mapping[str, Answers]
    unread: tuple[Skipped, ...]

    @property
    def temperature(self) -> float:
        """By which the classifier's graph is to be calibrated; 1 leaves it as it is."""
        return self.calibration["temperature"] if self.calibration else 1.0

    def write_answers(self, run: Path) -> None:
        """Keep in the run's folder what was said of each picture."""
        for name, answers in self.answers.items():
            write_answers(run, name, answers)


def verdict(
    dataset: Dataset, seen: Mapping[str, str], ask: Ask, splits: Sequence[str] = SPLITS, *, calibrates: bool = True
) -> Verdict:
    """Find the temperature on validation, then judge the classifier at it on these splits; `seen` as in the bundle."""
    calibration: dict[str, float] | None = None
    metrics: dict[str, Any] = {}
    kept: dict[str, Answers] = {}
    unread: tuple[Skipped, ...] = ()
    for name in [name for name in SPLITS if name in splits and name in dataset.splits]:
        split = unseen(dataset, name, seen)
        said = ask(split.pictures, f"judging on {name}")
        part = split.take(said.kept)
        if name == "validation" and calibrates and said.kept:
            calibration = _calibration(answers_about(part.pictures, part.labels, said.values))
        if calibration:
            said = replace(said, values=tempered(said.values, calibration["temperature"]))
        metrics[name] = judged(said, split, dataset.classes, label=name).as_json()
        kept[name] = answers_about(part.pictures, part.labels, said.values)
        unread += said.skipped
    return Verdict(metrics, calibration, kept, unread)


def temperature_of(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> float:
    """The temperature that probabilities, float (n, classes), ask for, as a float32 graph will hold it."""
    return float(np.float32(temperature(labels, probs)))


def _calibration(answers: Answers) -> dict[str, float]:
    """The temperature, and the expected calibration error on validation before and after it."""
    found = temperature_of(answers.labels, answers.probs)
    after = tempered(answers.probs, found)
    return {
        "temperature": found,
        "ece_before": ece(answers.labels, answers.probs),
        "ece_after": ece(answers.labels, after),
    }
