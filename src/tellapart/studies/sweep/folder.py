"""A sweep's folder: whose it is, what each trial came to, and the table of all epochs."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import RunError
from tellapart.files import UNREADABLE, atomic_write, csv_text, exclusive_lock, remove_partials
from tellapart.recipe import Recipe
from tellapart.studies.study_folder import image_changes, recipe_changes, require_place, settings_of
from tellapart.studies.sweep.plan import Candidate, Plan, Trial, gap
from tellapart.training.checkpoints import Epoch, arrays
from tellapart.training.environment import environment

SETTINGS, ENVIRONMENT, TRIALS, TABLE, WINNER = "sweep.json", "environment.json", "trials", "trials.csv", "winner.toml"
LOCK = ".lock"
STARTED = {LOCK, ENVIRONMENT}  # what one that was ended at its very start leaves
MEASURED = ("loss", "accuracy", "val_loss", "val_accuracy", "gap", "learning_rate", "seconds")
Weights = list[NDArray[Any]]


@contextmanager
def claimed(folder: Path, plan: Plan) -> Iterator[None]:
    """Make it a sweep's folder, or find in it the same sweep, and let no other command in while the block lasts.

    Raises RunError that says what differs.
    """
    require_place(folder, "sweep", SETTINGS, STARTED)
    with exclusive_lock(folder / LOCK, "a sweep", "name another --out"):
        settings = _settings(plan)
        if (folder / SETTINGS).exists():
            _require_same(folder, settings)
            remove_partials(folder, folder / TRIALS)
        else:
            atomic_write(folder / ENVIRONMENT, json.dumps(environment(plan.dataset), indent=2) + "\n")
            atomic_write(folder / SETTINGS, json.dumps(settings, indent=2) + "\n")
        yield


def release(folder: Path) -> None:
    """Give the folder back when a sweep is refused before its first trial, so that a second try may name it."""
    if not (folder / TRIALS).exists():
        for name in (SETTINGS, ENVIRONMENT):
            (folder / name).unlink(missing_ok=True)


def keep_trial(folder: Path, trial: Trial) -> None:
    """Store what a trial came to."""
    facts = {**asdict(trial), "recipe": trial.recipe.as_dict()}
    atomic_write(_file(folder, trial.number, "json"), json.dumps(facts) + "\n")


def kept_trial(folder: Path, number: int, candidate: Candidate) -> Trial | None:
    """What a trial came to, if an earlier call finished it. Raises RunError when it cannot be read."""
    path = _file(folder, number, "json")
    if not path.exists():
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        history = tuple(Epoch(**row) for row in facts["history"])
        trial = Trial(number, candidate.factor, candidate.values, candidate.recipe, history, facts["best_epoch"])
        return trial if Recipe.of(facts["recipe"]).as_dict() == candidate.recipe.as_dict() and trial.best else None
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise RunError(f"{path} cannot be read ({error!r}): remove it to train that trial again") from error


def keep_weights(folder: Path, number: int, weights: Weights) -> None:
    """Store the weights of the best trial so far; before the trial itself, so that a kill loses none."""
    content = io.BytesIO()
    np.savez(content, *weights, allow_pickle=False)
    atomic_write(_file(folder, number, "npz"), content.getvalue())


def kept_weights(folder: Path, number: int) -> Weights:
    """The weights of the best trial. Raises RunError when they cannot be read."""
    path = _file(folder, number, "npz")
    try:
        return arrays(path)
    except UNREADABLE as error:
        other = path.with_suffix(".json")
        raise RunError(f"{path} cannot be read ({error}): remove {other} to train that trial again") from error


def drop_weights(folder: Path, *, but: int) -> None:
    """Remove the weights of trials that are no longer the best."""
    for path in (folder / TRIALS).glob("*.npz"):
        if path != _file(folder, but, "npz"):
            path.unlink()


def write_table(folder: Path, plan: Plan, trials: Sequence[Trial]) -> None:
    """Write `trials.csv`: one row per trial and epoch.

    A varied field whose name is also that of something measured, such as learning_rate, is told apart as recipe_NAME.
    """
    titles = {name: f"recipe_{name}" if name in MEASURED else name for name in plan.columns}
    rows: list[tuple[object, ...]] = []
    for trial in trials:
        varied = [getattr(trial.recipe, name) for name in plan.columns]
        for row in trial.history:
            measured = {**asdict(row), "gap": gap(row)}
            rows.append((trial.number, trial.factor, *varied, row.epoch, *(measured[name] for name in MEASURED)))
    atomic_write(folder / TABLE, csv_text(("trial", "factor", *titles.values(), "epoch", *MEASURED), rows))


def _file(folder: Path, number: int, suffix: str) -> Path:
    return folder / TRIALS / f"{number:04d}.{suffix}"


def _settings(plan: Plan) -> dict[str, Any]:
    """Everything that decides how the sweep ends."""
    vary = [{"name": one.name, "values": one.values, "settings": dict(one.settings)} for one in plan.factors]
    return settings_of(plan.dataset, plan.recipe, vary=vary, grid=plan.grid)


def _require_same(folder: Path, now: dict[str, Any]) -> None:
    try:
        changed = list(_changes(json.loads((folder / SETTINGS).read_text(encoding="utf-8")), now))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(f"{folder / SETTINGS} cannot be read ({error!r}): name another folder with --out") from error
    if changed:
        raise RunError(
            f"{folder} holds another sweep: {'; '.join(changed)}. Give the same to go on with it, or name another "
            f"folder with --out"
        )


def _changes(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    yield from recipe_changes(before, now)
    if before["vary"] != now["vary"]:
        yield f"it varied {_outline(before['vary'])}, now {_outline(now['vary'])}"
    if before["grid"] != now["grid"]:
        yield "it was a grid" if before["grid"] else "it was no grid"
    yield from image_changes(before, now)


def _outline(vary: list[dict[str, Any]]) -> str:
    def one(factor: dict[str, Any]) -> str:
        held = ",".join(f"{name}={value}" for name, value in factor["settings"].items())
        return f"{factor['name']}={','.join(map(str, factor['values']))}" + (f" @ {held}" if held else "")

    return ", then ".join(one(factor) for factor in vary)
