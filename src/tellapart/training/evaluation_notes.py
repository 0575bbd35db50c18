"""Notes on a run's numbers. No Keras.

Few test images of a class, validation and test far apart, a calibration that got worse, few groups.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tellapart.bundles.stored_predictions import read_predictions
from tellapart.text import counted, joined, percent
from tellapart.training.run import Run

MIN_TEST_IMAGES = 10  # of a class: with fewer, one mistake moves its recall by ten points or more
MIN_DISTANCE = 0.03  # of accuracies: less is no reason to look further
UNLIKELY = 1.3  # times the half-width of the difference's 95 % interval: chance alone does it once in 100 times


def evaluation_notes(run: Run) -> tuple[str, ...]:
    """List what the numbers of a run do not say themselves. Raises RunError."""
    return (*_small_classes(run), *_distance(run.metrics), *_calibration(run), *_groups(run.metrics))


def _small_classes(run: Run) -> Iterator[str]:
    predictions = read_predictions(run.folder, "test")
    if predictions is None:
        return
    classes = run.bundle.classes
    counts = np.bincount(predictions.labels, minlength=len(classes))
    small = np.flatnonzero(counts < MIN_TEST_IMAGES)
    if len(small):
        sizes = [f"{classes[label]} {counts[label]}" for label in small[np.argsort(counts[small], kind="stable")]]
        yield (
            f"test has fewer than {MIN_TEST_IMAGES} images of {counted(len(small), 'class', 'classes')}, whose numbers "
            f"say little: {joined(sizes)}. Hold out more with --test, or add images"
        )


def _distance(metrics: Mapping[str, Any]) -> Iterator[str]:
    if not {"validation", "test"} <= metrics.keys():
        return
    validation, test = (metrics[name]["accuracy"] for name in ("validation", "test"))
    distance = validation["value"] - test["value"]
    ends = ("low", "high") if distance > 0 else ("high", "low")
    chance = math.hypot(validation["value"] - validation[ends[0]], test["value"] - test[ends[1]])
    if abs(distance) < max(MIN_DISTANCE, UNLIKELY * chance):
        return
    cause = (
        "the test images may be of another kind (other senders, places or times), or the choices fit the validation "
        "images"
        if distance > 0
        else "the validation images may be of a harder kind (other senders, places or times)"
    )
    yield (
        f"accuracy is {validation['value']:.1%} on validation and {test['value']:.1%} on test, further apart than "
        f"chance explains: {cause}. Name what belongs together with --group-column, and judge by `tellapart "
        "cross-validate`"
    )


def _calibration(run: Run) -> Iterator[str]:
    """Say where the temperature made it worse: the calibration error on validation, or the log-loss on test."""
    error, test = run.bundle.manifest.calibration or {}, run.metrics.get("test", {})
    before, after = (percent(error.get(name, 0.0)) for name in ("ece_before", "ece_after"))
    worse = []
    if error.get("ece_after", 0.0) > error.get("ece_before", 0.0) and before != after:
        worse.append(f"the calibration error on validation, from {before} to {after}")
    if "uncalibrated_log_loss" in test:
        loss_before, loss = (f"{test[name]['value']:.3f}" for name in ("uncalibrated_log_loss", "log_loss"))
        if float(loss) > float(loss_before):
            worse.append(f"the log-loss on test, from {loss_before} to {loss}")
    if worse:
        yield (
            f"the temperature, which lowers the log-loss on validation, raised {' and '.join(worse)}: "
            "with few validation images this may be chance, so hold out more with --validation"
        )


def _groups(metrics: Mapping[str, Any]) -> Iterator[str]:
    for split, values in metrics.items():
        if "warning" in values:
            yield f"on {split}, {values['warning']}"
