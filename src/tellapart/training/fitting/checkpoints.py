"""Checkpoints: after each epoch a new folder, complete or absent, named by the epoch, its loss and its accuracy."""

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import RunError
from tellapart.files import UNREADABLE, atomic_folder, remove_folder
from tellapart.read_files import ContentError, parse_number, read_arrays, read_json, read_table

FOLDER_NAME = re.compile(r"epoch-(\d+)(?:-[a-z_]+-[-\d.einfa]+){1,2}")
"""Older versions named one of the two values."""


@dataclass(frozen=True)
class Epoch:
    """One row of `history.csv`: means over the epoch; the `val_` values are None without a validation split."""

    epoch: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float
    seconds: float


History = tuple[Epoch, ...]


@dataclass(frozen=True)
class Checkpoint:
    """The state after the last epoch of a history."""

    folder: Path
    history: History

    @property
    def epoch(self) -> int:
        """Number of the last epoch, from 1."""
        return self.history[-1].epoch

    def state(self) -> list[NDArray[Any]]:
        """Read the arrays. Raises RunError."""
        try:
            return arrays(self.folder / "state.npz")
        except UNREADABLE as error:
            raise _unreadable(self.folder, error) from error


def arrays(path: Path) -> list[NDArray[Any]]:
    """Read the arrays that `np.savez` wrote, in their order. Raises one of UNREADABLE."""
    stored = read_arrays(path)
    return [stored[f"arr_{i}"] for i in range(len(stored))]


def write(folder: Path, history: History, state: list[NDArray[Any]]) -> Checkpoint:
    """Store the state after the last epoch of `history`."""
    path = folder / _name(history[-1])
    with atomic_folder(path) as partial:
        np.savez(partial / "state.npz", *state)
        (partial / "history.json").write_text(json.dumps([asdict(row) for row in history]))
    return Checkpoint(path, history)


def _name(row: Epoch) -> str:
    """Name a checkpoint by validation loss and accuracy, or by those of training where there is no validation."""
    name = f"epoch-{row.epoch:04d}"
    if row.val_loss is None:
        return f"{name}-loss-{row.loss:.4f}-accuracy-{row.accuracy:.4f}"
    return f"{name}-val_loss-{row.val_loss:.4f}-val_accuracy-{row.val_accuracy:.4f}"


def found(folder: Path) -> list[Checkpoint]:
    """List the complete checkpoints in a folder, oldest first. Raises RunError when one cannot be read."""
    paths = [path for path in folder.glob("epoch-*") if FOLDER_NAME.fullmatch(path.name)]
    return sorted((Checkpoint(path, _history(path)) for path in paths), key=lambda checkpoint: checkpoint.epoch)


def keep_only(folder: Path, wanted: set[int]) -> None:
    """Remove the checkpoints of all other epochs."""
    for path in folder.glob("epoch-*"):
        match = FOLDER_NAME.fullmatch(path.name)
        if match and int(match[1]) not in wanted:
            remove_folder(path)


def read_history(path: Path) -> History:
    """Read a `history.csv`. Raises RunError."""
    try:
        return tuple(map(_epoch, read_table(path, [field.name for field in fields(Epoch)])))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}): remove it, or train again") from error


def _epoch(row: dict[str, str]) -> Epoch:
    numbers = {field.name: row[field.name] for field in fields(Epoch)}
    values = {
        name: None if text == "" and name.startswith("val_") else parse_number(text) for name, text in numbers.items()
    }
    return Epoch(**{**values, "epoch": int(numbers["epoch"][:20])})  # type: ignore[arg-type]


def _history(path: Path) -> History:
    try:
        history = read_json(path / "history.json", tuple[Epoch, ...], finite=False)
    except (OSError, ContentError) as error:
        raise _unreadable(path, error) from error
    if not history:
        raise _unreadable(path, ContentError("it has no epoch"))
    return history


def _unreadable(path: Path, error: Exception) -> RunError:
    return RunError(f"checkpoint {path} cannot be read ({error}): remove that folder to continue without it")
