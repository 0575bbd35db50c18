"""Evaluation of the finished classifier. Here, after every choice, the test split is opened. No Keras here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.evaluate import evaluate_readable, split_for
from tellapart.bundles.stored_predictions import StoredPredictions, predict_split, write_predictions
from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.images import Images
from tellapart.data.pipeline import ReadableRows
from tellapart.data.splits.grouping import group_names
from tellapart.errors import DatasetError
from tellapart.judging.calibration import apply_temperature, fit_temperature
from tellapart.judging.clustered import means
from tellapart.judging.groups import Groups
from tellapart.judging.intervals import Estimate
from tellapart.judging.metrics import ece, log_losses
from tellapart.progress import notify

SPLITS = ("validation", "test")
UNCALIBRATED = "uncalibrated_log_loss"
"""Metric: the log-loss before the temperature, which hides how large it was."""
RESAMPLES = 1_000  # of that loss
Predict = Callable[[Images, str], ReadableRows]
"""From images and the label of a progress bar to the probabilities of those that can be read, float32 (n, classes)."""


@dataclass(frozen=True)
class FinalEvaluation:
    """Metrics and predictions of the calibrated classifier by split, its calibration, and unreadable images."""

    metrics: Mapping[str, Any]
    calibration: Mapping[str, float] | None
    predictions: Mapping[str, StoredPredictions]
    unread: tuple[Skipped, ...]

    @property
    def temperature(self) -> float:
        """Temperature of the classifier's graph; 1 leaves it as it is."""
        return self.calibration["temperature"] if self.calibration else 1.0

    def write_predictions(self, run: Path) -> None:
        """Store the predictions in the run's folder."""
        for name, predictions in self.predictions.items():
            write_predictions(run, name, predictions)


def evaluate_finally(
    dataset: Dataset,
    seen: Mapping[str, str],
    predict: Predict,
    splits: Sequence[str] = SPLITS,
    *,
    calibrates: bool = True,
) -> FinalEvaluation:
    """Find the temperature on validation, then evaluate at it on these splits; `seen` is as in the bundle.

    A test split without an image that can be judged is reported and left out: a finished training is not lost to it.
    """
    calibration: dict[str, float] | None = None
    metrics: dict[str, Any] = {}
    predictions: dict[str, StoredPredictions] = {}
    unread: tuple[Skipped, ...] = ()
    for name in [name for name in SPLITS if name in splits and name in dataset.splits]:
        try:
            split = split_for(dataset, name, seen)
        except DatasetError as error:
            if name != "test":
                raise
            notify(f"not judged on test: {error}")
            continue
        probs = predict(split.images, f"judging on {name}")
        if name == "test" and not probs.kept:
            notify(f"not judged on test: none of its {len(split):,} images can be read")
            unread += probs.skipped
            continue
        readable = split.take(probs.kept)
        if name == "validation" and calibrates and probs.kept:
            calibration = _calibration(predict_split(readable.images, readable.labels, probs.values))
        before = log_losses(readable.labels, probs.values) if calibration else None
        if calibration:
            probs = replace(probs, values=apply_temperature(probs.values, calibration["temperature"]))
        groups = group_names(readable, dataset.families)
        metrics[name] = evaluate_readable(probs, split, dataset.classes, label=name, groups=groups).as_json()
        if before is not None:
            metrics[name][UNCALIBRATED] = _estimate_mean(before, readable.labels, groups).as_json()
        predictions[name] = predict_split(readable.images, readable.labels, probs.values, groups)
        unread += probs.skipped
    return FinalEvaluation(metrics, calibration, predictions, unread)


def _estimate_mean(losses: NDArray[np.float64], labels: NDArray[np.int32], names: tuple[str, ...] | None) -> Estimate:
    groups = None if names is None else Groups.of(names, len(labels))
    return means([losses], labels, groups, rng=np.random.default_rng(0), resamples=RESAMPLES, least=0.0)[0]


def temperature_of(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> float:
    """Fit the temperature of probabilities, float (n, classes), rounded as a float32 graph stores it."""
    return float(np.float32(fit_temperature(labels, probs)))


def _calibration(predictions: StoredPredictions) -> dict[str, float]:
    """Fit the temperature, with the expected calibration error on validation before and after it."""
    fitted = temperature_of(predictions.labels, predictions.probs)
    after = apply_temperature(predictions.probs, fitted)
    return {
        "temperature": fitted,
        "ece_before": ece(predictions.labels, predictions.probs),
        "ece_after": ece(predictions.labels, after),
    }
