"""What the finished classifier is worth. Here, after every choice, the test split is opened. No Keras here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.evaluate import judged, unseen
from tellapart.bundles.stored_predictions import StoredPredictions, predict_split, write_predictions
from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.images import Images
from tellapart.data.pipeline import ReadableRows
from tellapart.judging.calibration import apply_temperature, fit_temperature
from tellapart.judging.metrics import ece

SPLITS = ("validation", "test")
Ask = Callable[[Images, str], ReadableRows]
"""From images and what to call the work: the probabilities of those that can be read, float32 (n, classes)."""


@dataclass(frozen=True)
class FinalEvaluation:
    """Metrics by split, the temperature that validation asked for, what was said of each image, what is unreadable.

    Metrics and answers are those of the calibrated classifier.
    """

    metrics: Mapping[str, Any]
    calibration: Mapping[str, float] | None
    answers: Mapping[str, StoredPredictions]
    unread: tuple[Skipped, ...]

    @property
    def temperature(self) -> float:
        """By which the classifier's graph is to be calibrated; 1 leaves it as it is."""
        return self.calibration["temperature"] if self.calibration else 1.0

    def write_predictions(self, run: Path) -> None:
        """Keep in the run's folder what was said of each image."""
        for name, answers in self.answers.items():
            write_predictions(run, name, answers)


def evaluate_finally(
    dataset: Dataset, seen: Mapping[str, str], ask: Ask, splits: Sequence[str] = SPLITS, *, calibrates: bool = True
) -> FinalEvaluation:
    """Find the temperature on validation, then judge the classifier at it on these splits; `seen` as in the bundle."""
    calibration: dict[str, float] | None = None
    metrics: dict[str, Any] = {}
    kept: dict[str, StoredPredictions] = {}
    unread: tuple[Skipped, ...] = ()
    for name in [name for name in SPLITS if name in splits and name in dataset.splits]:
        split = unseen(dataset, name, seen)
        said = ask(split.images, f"judging on {name}")
        part = split.take(said.kept)
        if name == "validation" and calibrates and said.kept:
            calibration = _calibration(predict_split(part.images, part.labels, said.values))
        if calibration:
            said = replace(said, values=apply_temperature(said.values, calibration["temperature"]))
        metrics[name] = judged(said, split, dataset.classes, label=name).as_json()
        kept[name] = predict_split(part.images, part.labels, said.values)
        unread += said.skipped
    return FinalEvaluation(metrics, calibration, kept, unread)


def temperature_of(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> float:
    """The temperature that probabilities, float (n, classes), ask for, as a float32 graph will hold it."""
    return float(np.float32(fit_temperature(labels, probs)))


def _calibration(answers: StoredPredictions) -> dict[str, float]:
    """The temperature, and the expected calibration error on validation before and after it."""
    found = temperature_of(answers.labels, answers.probs)
    after = apply_temperature(answers.probs, found)
    return {
        "temperature": found,
        "ece_before": ece(answers.labels, answers.probs),
        "ece_after": ece(answers.labels, after),
    }
