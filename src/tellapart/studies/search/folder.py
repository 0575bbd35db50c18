"""A search's folder: whose it is, and what in it a search wrote."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tellapart.errors import RunError
from tellapart.files import atomic_write, exclusive_lock, remove_folder, remove_partials
from tellapart.studies.search.successive_halving import TABLE, TRIALS, Plan
from tellapart.studies.study_folder import image_changes, recipe_changes, require_place, settings_of

SETTINGS, LOCK, JOURNAL, BEST, FINAL = "search.json", ".lock", "journal.log", "best.toml", "final"
OURS = {SETTINGS, LOCK, JOURNAL, f"{JOURNAL}.lock", TRIALS, TABLE, BEST, FINAL}


@contextmanager
def claimed(folder: Path, plan: Plan, *, fresh: bool) -> Iterator[None]:
    """Make it a search's folder, or find in it the same search, and let no other command in while the block lasts.

    Raises RunError that says what differs.
    """
    require_place(folder, "search", SETTINGS, OURS)
    with exclusive_lock(folder / LOCK, "a search", "name another --out"):
        remove_partials(folder, folder / TRIALS)
        if fresh:
            _clear(folder)
        _settle(folder, plan)
        yield


def _settle(folder: Path, plan: Plan) -> None:
    settings = _settings(plan)
    if not (folder / SETTINGS).exists():
        atomic_write(folder / SETTINGS, json.dumps(settings, indent=2) + "\n")
        return
    try:
        changed = list(_changes(json.loads((folder / SETTINGS).read_text()), settings))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(f"{folder / SETTINGS} cannot be read ({error!r}): begin again with --fresh") from error
    if changed:
        raise RunError(
            f"{folder} holds another search: {'; '.join(changed)}. Give the same to go on with it, name another "
            f"folder with --out, or begin again with --fresh"
        )


def _clear(folder: Path) -> None:
    """Remove what a search wrote, its settings last: a kill in between leaves nothing that another could mistake."""
    (folder / JOURNAL).unlink(missing_ok=True)
    for name in (TRIALS, FINAL):
        if (folder / name).exists():
            remove_folder(folder / name)
    for name in (BEST, TABLE, SETTINGS):
        (folder / name).unlink(missing_ok=True)


def _settings(plan: Plan) -> dict[str, Any]:
    """Everything that decides how the search ends."""
    space = {name: asdict(one) for name, one in plan.space.items()}
    brackets = [[asdict(rung) for rung in bracket] for bracket in plan.brackets]
    return settings_of(plan.dataset, plan.recipe, space=space, brackets=brackets)


def _changes(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    yield from recipe_changes(before, now)
    for name in sorted({*before["space"], *now["space"]}):
        old, new = (_shown(one["space"].get(name)) for one in (before, now))
        if old != new:
            yield f"the space of {name} was {old}, now {new}"
    if before["brackets"] != now["brackets"]:
        yield f"its brackets were {_outline(before['brackets'])}, now {_outline(now['brackets'])}"
    yield from image_changes(before, now)


def _shown(one: dict[str, Any] | None) -> str:
    if one is None:
        return "fixed"
    if "values" in one:
        return ",".join(map(str, one["values"]))
    last = ["log"] if one["log"] else [one["step"]] if one["step"] else []
    return ":".join(map(str, [one["low"], one["high"], *last]))


def _outline(brackets: list[list[dict[str, int]]]) -> str:
    rungs = (", then ".join(f"{rung['trials']} x {rung['epochs']}" for rung in bracket) for bracket in brackets)
    return f"({'; '.join(rungs)} epochs)"
