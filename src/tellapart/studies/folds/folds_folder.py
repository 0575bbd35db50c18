"""The folder of a cross-validation: the settings it belongs to, and the result of each finished fold."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.errors import RunError
from tellapart.files import atomic_write, remove_folder
from tellapart.models.resolved_recipe import ResolvedRecipe
from tellapart.read_files import ContentError, read_arrays
from tellapart.studies.folds.results import FoldResult
from tellapart.studies.study_folder import (
    Settings,
    StudyFolder,
    image_differences,
    recipe_differences,
    study_settings,
)
from tellapart.training.training_warnings import TrainingWarning

SETTINGS, RECIPE, PARTS, CHECKPOINTS = "settings.json", "recipe.toml", "parts", "checkpoints"


@contextmanager
def claim_folder(folder: Path, dataset: Dataset, recipe: ResolvedRecipe, count: int) -> Iterator[None]:
    """Make a folder that of these folds, or find the same there, and keep other commands out inside the block.

    Other folds give way as long as none of them is finished. Raises RunError that says what differs.
    """
    study = StudyFolder(folder, "cross-validation", SETTINGS, subfolders=(PARTS, CHECKPOINTS))
    with study.lock():
        settings = study_settings(dataset, recipe, folds=count)
        changes = study.changes(settings, _differences) if (folder / SETTINGS).exists() else []
        if finished_folds(folder):
            study.require_same(changes)
        if changes and (folder / CHECKPOINTS).exists():
            remove_folder(folder / CHECKPOINTS)
        study.write(settings)
        recipe.write(folder / RECIPE)
        yield


def finished_folds(folder: Path) -> set[int]:
    """Return the numbers, from 1, of the folds that are finished."""
    return {int(path.stem) for path in (folder / PARTS).glob("[0-9]*.npz")}


def checkpoint_folder(folder: Path, number: int) -> Path:
    """Return where the training of a fold keeps its checkpoints until it is finished."""
    return folder / CHECKPOINTS / f"{number:04d}"


def remove_checkpoints(folder: Path, number: int) -> None:
    """Remove the checkpoints of a finished fold."""
    if checkpoint_folder(folder, number).exists():
        remove_folder(checkpoint_folder(folder, number))
    parent = folder / CHECKPOINTS
    if parent.exists() and not any(parent.iterdir()):
        parent.rmdir()


def write_fold(folder: Path, result: FoldResult) -> None:
    """Store the result of a finished fold."""
    content = io.BytesIO()
    np.savez(
        content,
        digests=np.array(result.digests),
        labels=result.labels,
        probabilities=result.probabilities,
        epoch=np.int32(result.epoch or 0),
        seconds=np.float64(result.seconds),
        warnings=np.array([astuple(warning) for warning in result.warnings], dtype=np.str_).reshape(-1, 3),
    )
    atomic_write(_fold_file(folder, result.fold), content.getvalue())


def read_fold(folder: Path, number: int) -> FoldResult:
    """Read the result of a finished fold. Raises RunError."""
    path = _fold_file(folder, number)
    try:
        arrays = read_arrays(path)
        _require_rows(arrays["digests"], arrays["labels"], arrays["probabilities"])
        return FoldResult(
            fold=number,
            digests=tuple(arrays["digests"].tolist()),
            labels=arrays["labels"],
            probabilities=arrays["probabilities"],
            epoch=int(arrays["epoch"]) or None,
            seconds=float(arrays["seconds"]),
            warnings=_warnings(arrays.get("warnings", np.empty((0, 3), np.str_))),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path} cannot be read ({error}): remove that file, and the fold is computed again") from error


def _warnings(rows: NDArray[Any]) -> tuple[TrainingWarning, ...]:
    """Return the warnings about a fold, which those of an earlier version lack. Raises ContentError."""
    if rows.dtype.kind != "U" or rows.ndim != 2 or rows.shape[1] != len(fields(TrainingWarning)):
        raise ContentError("its warnings are no rows of three texts")
    return tuple(TrainingWarning(*row) for row in rows.tolist())


def _require_rows(digests: NDArray[Any], labels: NDArray[Any], probabilities: NDArray[Any]) -> None:
    if not digests.ndim == labels.ndim == probabilities.ndim - 1 == 1 or digests.dtype.kind != "U":
        raise ContentError("its arrays have other shapes than a fold's")
    if not len(digests) == len(labels) == len(probabilities) or not np.isfinite(probabilities).all():
        raise ContentError("its arrays do not belong together")
    if labels.dtype.kind != "i" or not ((labels >= 0) & (labels < probabilities.shape[1])).all():
        raise ContentError("its labels are no columns of its probabilities")


def _fold_file(folder: Path, number: int) -> Path:
    return folder / PARTS / f"{number:04d}.npz"


def _differences(before: Settings, now: Settings) -> Iterator[str]:
    if before["folds"] != now["folds"]:
        yield f"there were {before['folds']} folds, now {now['folds']}"
    yield from recipe_differences(before, now)
    yield from image_differences(before, now)
