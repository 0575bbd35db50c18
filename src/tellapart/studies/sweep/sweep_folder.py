"""The folder of a sweep: the settings it belongs to, the result of each trial, and the table of all epochs."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import RecipeError, RunError
from tellapart.files import UNREADABLE, atomic_write, csv_text
from tellapart.read_files import ContentError, read_json
from tellapart.recipe import Recipe
from tellapart.studies.study_folder import (
    Settings,
    StudyFolder,
    image_differences,
    recipe_differences,
    study_settings,
)
from tellapart.studies.sweep.plan import Candidate, SweepPlan, Trial, gap
from tellapart.training.fitting.checkpoints import Epoch, arrays
from tellapart.training.run_files import environment

SETTINGS, ENVIRONMENT, TRIALS, TABLE, WINNER = "sweep.json", "environment.json", "trials", "trials.csv", "winner.toml"
MEASURED = ("loss", "accuracy", "val_loss", "val_accuracy", "gap", "learning_rate", "seconds")
Weights = list[NDArray[Any]]


@contextmanager
def claim_folder(folder: Path, plan: SweepPlan) -> Iterator[None]:
    """Make a folder the sweep's, or find the same sweep there, and keep other commands out inside the block.

    Raises RunError that says what differs.
    """
    study = StudyFolder(folder, "sweep", SETTINGS, early_files=frozenset({ENVIRONMENT}), subfolders=(TRIALS,))
    with study.lock():
        if not (folder / SETTINGS).exists():
            atomic_write(folder / ENVIRONMENT, json.dumps(environment(plan.dataset), indent=2) + "\n")
        vary = [
            {"name": factor.name, "values": factor.values, "settings": dict(factor.settings)} for factor in plan.factors
        ]
        study.claim(study_settings(plan.dataset, plan.recipe, vary=vary, grid=plan.grid), _differences)
        yield


def release_folder(folder: Path) -> None:
    """Remove the settings of a sweep that is refused before its first trial, so that another may use the folder."""
    if not (folder / TRIALS).exists():
        for name in (SETTINGS, ENVIRONMENT):
            (folder / name).unlink(missing_ok=True)


def write_trial(folder: Path, trial: Trial) -> None:
    """Store the result of a trial."""
    fields = {**asdict(trial), "recipe": trial.recipe.as_dict()}
    atomic_write(_trial_file(folder, trial.number, "json"), json.dumps(fields) + "\n")


def read_trial(folder: Path, number: int, candidate: Candidate) -> Trial | None:
    """Return the result of a trial that an earlier call finished, else None. Raises RunError if it cannot be read."""
    path = _trial_file(folder, number, "json")
    if not path.exists():
        return None
    try:
        stored = read_json(path, StoredTrial, finite=False)
        if not 1 <= stored["best_epoch"] <= len(stored["history"]):
            raise ContentError("its best epoch is not among its epochs")
        if Recipe.of(stored["recipe"]).as_dict() != candidate.recipe.as_dict():
            return None
    except (OSError, ValueError, RecipeError) as error:
        raise RunError(f"{path} cannot be read ({error!r}): remove it to train that trial again") from error
    best = stored["best_epoch"]
    return Trial(number, candidate.factor, candidate.values, candidate.recipe, stored["history"], best)


class StoredTrial(TypedDict):
    """The fields of a trial's file that are read."""

    recipe: dict[str, Any]
    history: tuple[Epoch, ...]
    best_epoch: int


def write_weights(folder: Path, number: int, weights: Weights) -> None:
    """Store the weights of the best trial so far. Call it before `write_trial`, so that a kill loses none."""
    content = io.BytesIO()
    np.savez(content, *weights, allow_pickle=False)
    atomic_write(_trial_file(folder, number, "npz"), content.getvalue())


def read_weights(folder: Path, number: int) -> Weights:
    """Read the weights of the best trial. Raises RunError."""
    path = _trial_file(folder, number, "npz")
    try:
        return arrays(path)
    except UNREADABLE as error:
        trial_file = path.with_suffix(".json")
        raise RunError(f"{path} cannot be read ({error}): remove {trial_file} to train that trial again") from error


def remove_other_weights(folder: Path, best: int) -> None:
    """Remove the weights of all trials but the best."""
    for path in (folder / TRIALS).glob("*.npz"):
        if path != _trial_file(folder, best, "npz"):
            path.unlink()


def write_table(folder: Path, plan: SweepPlan, trials: Sequence[Trial]) -> None:
    """Write `trials.csv`: one row per trial and epoch.

    A varied field named like a measured column, such as learning_rate, becomes recipe_NAME.
    """
    titles = {name: f"recipe_{name}" if name in MEASURED else name for name in plan.columns}
    rows: list[tuple[object, ...]] = []
    for trial in trials:
        varied = [getattr(trial.recipe, name) for name in plan.columns]
        for row in trial.history:
            measured = {**asdict(row), "gap": gap(row)}
            rows.append((trial.number, trial.factor, *varied, row.epoch, *(measured[name] for name in MEASURED)))
    atomic_write(folder / TABLE, csv_text(("trial", "factor", *titles.values(), "epoch", *MEASURED), rows))


def _trial_file(folder: Path, number: int, suffix: str) -> Path:
    return folder / TRIALS / f"{number:04d}.{suffix}"


def _differences(before: Settings, now: Settings) -> Iterator[str]:
    yield from recipe_differences(before, now)
    if before["vary"] != now["vary"]:
        yield f"it varied {_vary_text(before['vary'])}, now {_vary_text(now['vary'])}"
    if before["grid"] != now["grid"]:
        yield "it was a grid" if before["grid"] else "it was no grid"
    yield from image_differences(before, now)


def _vary_text(vary: list[dict[str, Any]]) -> str:
    """Return the factors as --vary has them."""

    def factor_text(factor: dict[str, Any]) -> str:
        settings = ",".join(f"{name}={value}" for name, value in factor["settings"].items())
        return f"{factor['name']}={','.join(map(str, factor['values']))}" + (f" @ {settings}" if settings else "")

    return ", then ".join(map(factor_text, vary))
