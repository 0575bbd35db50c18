"""The recorded history of a run: its ladder steps, its learning curve and the recipe of its classifier."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.errors import RunError
from tellapart.recipe import Recipe
from tellapart.training.fitting.checkpoints import History, read_history
from tellapart.training.run import Run


@dataclass(frozen=True)
class LadderStep:
    """A step of the ladder: its duration, its validation accuracy, and whether it was better than those before."""

    folder: Path
    name: str
    seconds: float
    accuracy: float
    kept: bool


def read_ladder_steps(folder: Path) -> tuple[LadderStep, ...]:
    """Read the ladder steps of a run, none where it was trained without a budget. Raises RunError."""
    path = folder / "ladder.csv"
    if not path.exists():
        return ()
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return tuple(_step(folder, number, row) for number, row in enumerate(csv.DictReader(stream), start=1))
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise RunError(f"{path} cannot be read ({error!r}): train again") from error


def _step(folder: Path, number: int, row: dict[str, str]) -> LadderStep:
    step_folder = next((folder / "steps").glob(f"{number}-*"), folder)
    return LadderStep(step_folder, row["name"], float(row["took_s"]), float(row["accuracy"]), row["kept"] == "True")


def read_learning_curve(folder: Path) -> History:
    """Read the epochs that led to a run's classifier, stage after stage; none for a model without epochs.

    On the ladder they are those of the last step that was kept, and of several trials in it the best. Raises RunError.
    """
    kept = [step for step in read_ladder_steps(folder) if step.kept]
    if kept:
        return best_history(kept[-1].folder)
    paths = [folder / "history.csv", *sorted(folder.glob("stage-*/history.csv"), key=_stage_number)]
    rows = [row for path in paths if path.exists() for row in read_history(path)]
    return tuple(replace(row, epoch=number) for number, row in enumerate(rows, start=1))


def best_history(folder: Path) -> History:
    """Of all histories in a step's folder, return the one with the best epoch on validation."""
    histories = [read_history(path) for path in sorted(folder.rglob("history.csv"))]
    return max(filter(None, histories), key=_best_score, default=())


def recipe_values(run: Run) -> dict[str, str]:
    """Format the recipe of a run's classifier; where the ladder changed a setting, with the original in brackets."""
    recipe = {name: str(value) for name, value in run.recipe.as_dict().items()}
    path = run.folder / "winner.toml"
    if not path.exists():
        return recipe
    winner = {name: str(value) for name, value in Recipe.read(path).as_dict().items()}
    return {
        name: value if recipe.get(name) == value else f"{value} (set: {recipe.get(name, 'the default')})"
        for name, value in winner.items()
    }


def _best_score(history: History) -> tuple[float, float]:
    """Score a history by its best epoch on validation: accuracy, and at equal accuracy the lower loss."""
    return max((row.val_accuracy or 0.0, -(row.val_loss or 0.0)) for row in history)


def _stage_number(path: Path) -> int:
    number = path.parent.name.removeprefix("stage-")
    return int(number) if number.isdecimal() else 0
