"""Folders of runs whose answers are made up, so that what a comparison finds is known."""

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
SURE = 0.9  # probability of what is answered


def said(right: Sequence[int], *, n: int = 20, sure: float = SURE, start: int = 0) -> StoredPredictions:
    """What a run says of `n` images, their contents numbered from `start`, that is right about those in `right`."""
    labels = np.arange(start, start + n, dtype=np.int32) % len(CLASSES)
    told = np.where(np.isin(np.arange(start, start + n), right), labels, (labels + 1) % len(CLASSES))
    probs: NDArray[np.float32] = np.full((n, len(CLASSES)), (1 - sure) / 2, dtype=np.float32)
    probs[np.arange(n), told] = sure
    numbers = range(start, start + n)
    return StoredPredictions(tuple(f"{i}.png" for i in numbers), tuple(f"{i:064x}" for i in numbers), labels, probs)


def made_up(
    folder: Path,
    like: Run,
    answers: Mapping[str, StoredPredictions],
    *,
    classes: tuple[str, ...] = CLASSES,
    **recipe: object,
) -> Path:
    """Leave a folder as a finished run does, with a copy of another's bundle that names `classes` in their order."""
    copytree(like.bundle.folder, folder / "bundle")
    (folder / "bundle" / "bundle.json").unlink()
    facts = like.bundle.facts
    write_manifest(folder / "bundle", replace(facts, classes=classes, recipe={**facts.recipe, **recipe}))
    for split, one in answers.items():
        write_predictions(folder, split, one)
    (folder / "metrics.json").write_text(json.dumps({}))
    return folder
