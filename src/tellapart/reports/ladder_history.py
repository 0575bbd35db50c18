"""What a run left of its climb up the ladder: the steps, the curve and the recipe of the one it ended with."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.errors import RunError
from tellapart.recipe import Recipe
from tellapart.training.fitting.checkpoints import History, read_history
from tellapart.training.run import Run


@dataclass(frozen=True)
class LadderHistory:
    """A step of the ladder: how long it took, its accuracy on validation, whether it was better than all before."""

    folder: Path
    name: str
    seconds: float
    accuracy: float
    kept: bool


def steps_of(folder: Path) -> tuple[LadderHistory, ...]:
    """The steps that a run climbed, none where it did not. Raises RunError."""
    path = folder / "ladder.csv"
    if not path.exists():
        return ()
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return tuple(_step(folder, number, row) for number, row in enumerate(csv.DictReader(stream), start=1))
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise RunError(f"{path} cannot be read ({error!r}): train again") from error


def _step(folder: Path, number: int, row: dict[str, str]) -> LadderHistory:
    place = next((folder / "steps").glob(f"{number}-*"), folder)
    return LadderHistory(place, row["name"], float(row["took_s"]), float(row["accuracy"]), row["kept"] == "True")


def curve_of(folder: Path) -> History:
    """The epochs that made a run's classifier, stage after stage; none where it has no curve. Raises RunError.

    Of a climb those of the last step that was kept, and of several tries there the best.
    """
    kept = [step for step in steps_of(folder) if step.kept]
    if kept:
        return best_try(kept[-1].folder)
    paths = [folder / "history.csv", *sorted(folder.glob("stage-*/history.csv"), key=_stage)]
    rows = [row for path in paths if path.exists() for row in read_history(path)]
    return tuple(replace(row, epoch=number) for number, row in enumerate(rows, start=1))


def best_try(folder: Path) -> History:
    """Of all curves below a step's folder the one with the best epoch on validation."""
    tries = [read_history(path) for path in sorted(folder.rglob("history.csv"))]
    return max(filter(None, tries), key=_rank, default=())


def recipe_of(run: Run) -> dict[str, str]:
    """The recipe of a run's classifier; of a climb the winner's, with what was asked for where that is another."""
    asked = {name: str(value) for name, value in run.recipe.as_dict().items()}
    path = run.folder / "winner.toml"
    if not path.exists():
        return asked
    won = {name: str(value) for name, value in Recipe.read(path).as_dict().items()}
    return {
        name: value if asked.get(name) == value else f"{value} (asked for: {asked.get(name, 'the default')})"
        for name, value in won.items()
    }


def _rank(history: History) -> tuple[float, float]:
    """How good the best epoch of a try is on validation: accuracy, and of equals the lesser loss."""
    return max((row.val_accuracy or 0.0, -(row.val_loss or 0.0)) for row in history)


def _stage(path: Path) -> int:
    number = path.parent.name.removeprefix("stage-")
    return int(number) if number.isdecimal() else 0
