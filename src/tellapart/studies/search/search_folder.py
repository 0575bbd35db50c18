"""The folder of a search: the settings it belongs to, and the files that a search writes there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tellapart.files import remove_folder
from tellapart.studies.search.plan import SearchPlan
from tellapart.studies.search.successive_halving import TABLE, TRIALS
from tellapart.studies.study_folder import (
    Settings,
    StudyFolder,
    image_differences,
    recipe_differences,
    study_settings,
)

SETTINGS, JOURNAL, BEST, FINAL = "search.json", "journal.log", "best.toml", "final"
OWN_FILES = frozenset({SETTINGS, JOURNAL, f"{JOURNAL}.lock", TRIALS, TABLE, BEST, FINAL})


@contextmanager
def claim_folder(folder: Path, plan: SearchPlan, *, fresh: bool) -> Iterator[None]:
    """Make a folder the search's, or find the same search there, and keep other commands out inside the block.

    `fresh` removes what an earlier search wrote. Raises RunError that says what differs.
    """
    study = StudyFolder(folder, "search", SETTINGS, early_files=OWN_FILES, subfolders=(TRIALS,), has_fresh=True)
    with study.lock():
        if fresh:
            _clear(folder)
        space = {name: asdict(values) for name, values in plan.space.items()}
        brackets = [[asdict(rung) for rung in bracket] for bracket in plan.brackets]
        study.claim(study_settings(plan.dataset, plan.recipe, space=space, brackets=brackets), _differences)
        yield


def _clear(folder: Path) -> None:
    """Remove what a search wrote, its settings last, so that a kill in between leaves nothing to be mistaken."""
    (folder / JOURNAL).unlink(missing_ok=True)
    for name in (TRIALS, FINAL):
        if (folder / name).exists():
            remove_folder(folder / name)
    for name in (BEST, TABLE, SETTINGS):
        (folder / name).unlink(missing_ok=True)


def _differences(before: Settings, now: Settings) -> Iterator[str]:
    yield from recipe_differences(before, now)
    for name in sorted({*before["space"], *now["space"]}):
        old, new = (_values_text(settings["space"].get(name)) for settings in (before, now))
        if old != new:
            yield f"the space of {name} was {old}, now {new}"
    if before["brackets"] != now["brackets"]:
        yield f"its brackets were {_brackets_text(before['brackets'])}, now {_brackets_text(now['brackets'])}"
    yield from image_differences(before, now)


def _values_text(values: dict[str, Any] | None) -> str:
    """Return what a field may be, as --space has it."""
    if values is None:
        return "fixed"
    if "values" in values:
        return ",".join(map(str, values["values"]))
    last = ["log"] if values["log"] else [values["step"]] if values["step"] else []
    return ":".join(map(str, [values["low"], values["high"], *last]))


def _brackets_text(brackets: list[list[dict[str, int]]]) -> str:
    rungs = (", then ".join(f"{rung['trials']} x {rung['epochs']}" for rung in bracket) for bracket in brackets)
    return f"({'; '.join(rungs)} epochs)"
