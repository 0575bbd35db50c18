"""Run folders with made-up predictions, so that the result of a comparison is known."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import write_manifest
from tellapart.bundles.stored_predictions import StoredPredictions, write_predictions
from tellapart.training.run import Run

CLASSES = ("blue", "green", "red")
CONFIDENCE = 0.9  # probability of the predicted class


def predictions(
    correct: Sequence[int], *, n: int = 20, confidence: float = CONFIDENCE, start: int = 0
) -> StoredPredictions:
    """Return predictions of `n` images, numbered from `start`; those of the images in `correct` are correct."""
    labels = np.arange(start, start + n, dtype=np.int32) % len(CLASSES)
    predicted = np.where(np.isin(np.arange(start, start + n), correct), labels, (labels + 1) % len(CLASSES))
    probs: NDArray[np.float32] = np.full((n, len(CLASSES)), (1 - confidence) / 2, dtype=np.float32)
    probs[np.arange(n), predicted] = confidence
    numbers = range(start, start + n)
    return StoredPredictions(tuple(f"{i}.png" for i in numbers), tuple(f"{i:064x}" for i in numbers), labels, probs)


def made_up_run(
    folder: Path,
    like: Run,
    by_split: Mapping[str, StoredPredictions],
    *,
    classes: tuple[str, ...] = CLASSES,
    **recipe: object,
) -> Path:
    """Write a folder as a finished run does, with a copy of another run's bundle that has `classes` in that order."""
    copytree(like.bundle.folder, folder / "bundle")
    (folder / "bundle" / "bundle.json").unlink()
    manifest = like.bundle.manifest
    write_manifest(folder / "bundle", replace(manifest, classes=classes, recipe={**manifest.recipe, **recipe}))
    for split, stored in by_split.items():
        write_predictions(folder, split, stored)
    (folder / "metrics.json").write_text(json.dumps({}))
    return folder
