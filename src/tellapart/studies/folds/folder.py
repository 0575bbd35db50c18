"""A folder of folds: whose it is, and what is kept of each finished fold."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.errors import RunError
from tellapart.files import UNREADABLE, atomic_write, exclusive_lock, remove_folder, remove_partials
from tellapart.recipe import Recipe
from tellapart.studies.folds.results import Part
from tellapart.studies.study_folder import image_changes, recipe_changes, require_place, settings_of

SETTINGS, RECIPE, PARTS, CHECKPOINTS = "settings.json", "recipe.toml", "parts", "checkpoints"
LOCK = ".lock"


@contextmanager
def claimed(folder: Path, dataset: Dataset, recipe: Recipe, count: int) -> Iterator[None]:
    """Make it a folder of these folds, or find in it the same, and let no other command in while the block lasts.

    Other folds of which none was finished are no loss, and make room. Raises RunError that says what differs.
    """
    require_place(folder, "folds", SETTINGS, {LOCK})
    with exclusive_lock(folder / LOCK, "another command", "name another --out"):
        settings = settings_of(dataset, recipe, folds=count)
        if (folder / SETTINGS).exists():
            _require_same(folder, settings)
        remove_partials(folder, folder / PARTS, folder / CHECKPOINTS)
        atomic_write(folder / SETTINGS, json.dumps(settings, indent=2) + "\n")
        recipe.write(folder / RECIPE)
        yield


def finished(folder: Path) -> set[int]:
    """The numbers of the folds that are kept, from 1."""
    return {int(path.stem) for path in (folder / PARTS).glob("[0-9]*.npz")}


def checkpoints_of(folder: Path, number: int) -> Path:
    """Where a fold's training keeps its checkpoints until it is finished."""
    return folder / CHECKPOINTS / f"{number:04d}"


def forget_checkpoints(folder: Path, number: int) -> None:
    """Remove what a finished fold no longer needs."""
    if checkpoints_of(folder, number).exists():
        remove_folder(checkpoints_of(folder, number))
    place = folder / CHECKPOINTS
    if place.exists() and not any(place.iterdir()):
        place.rmdir()


def write_part(folder: Path, number: int, part: Part) -> None:
    """Keep a finished fold."""
    content = io.BytesIO()
    np.savez(
        content,
        digests=np.array(part.digests),
        labels=part.labels,
        probabilities=part.probabilities,
        epoch=np.int32(part.epoch or 0),
        seconds=np.float64(part.seconds),
    )
    atomic_write(_part(folder, number), content.getvalue())


def read_part(folder: Path, number: int) -> Part:
    """A fold that is kept. Raises RunError when it cannot be read."""
    path = _part(folder, number)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
        return Part(
            fold=number,
            digests=tuple(found["digests"].tolist()),
            labels=found["labels"],
            probabilities=found["probabilities"],
            epoch=int(found["epoch"]) or None,
            seconds=float(found["seconds"]),
        )
    except UNREADABLE as error:
        raise RunError(f"{path} cannot be read ({error}): remove that file, and the fold is made anew") from error


def _part(folder: Path, number: int) -> Path:
    return folder / PARTS / f"{number:04d}.npz"


def _require_same(folder: Path, settings: dict[str, Any]) -> None:
    before = _read(folder / SETTINGS)
    changed = [*_changes(before, settings)] if before else ["its settings.json cannot be read"]
    if changed and finished(folder):
        raise RunError(
            f"{folder} holds other folds: {'; '.join(changed)}. Give the same to go on with them, or name another "
            f"folder with --out"
        )
    if changed and (folder / CHECKPOINTS).exists():
        remove_folder(folder / CHECKPOINTS)


def _read(path: Path) -> dict[str, Any] | None:
    """Settings as they were written; None where they are something else."""
    try:
        settings = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    kinds = {"folds": int, "pictures": dict, "recipe": dict}
    whole = isinstance(settings, dict) and all(isinstance(settings.get(name), kind) for name, kind in kinds.items())
    return settings if whole else None


def _changes(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    if before["folds"] != now["folds"]:
        yield f"there were {before['folds']} folds, now {now['folds']}"
    yield from recipe_changes(before, now)
    yield from image_changes(before, now)
