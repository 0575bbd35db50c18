"""Whose a study's folder is: everything that decides how the study ends, and in what another differs from it."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.errors import RunError
from tellapart.files import PARTIAL
from tellapart.recipe import Recipe

Settings = Mapping[str, Any]


def settings_of(dataset: Dataset, recipe: Recipe, **more: object) -> dict[str, Any]:
    """The recipe, the images and what else decides, as JSON gives it back."""
    images = {"name": dataset.name, "fingerprint": dataset.fingerprint}
    settings = {"recipe": asdict(recipe), **more, "pictures": images}
    same: dict[str, Any] = json.loads(json.dumps(settings))
    return same


def require_place(folder: Path, study: str, settings: str, begun: Collection[str]) -> None:
    """Refuse a file, and a folder that holds something else than a `study`, such as "search". Raises RunError.

    A folder with a file `settings` is the study's; so is one with nothing but `begun`, which was left at its start.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; expected a folder for the {study}: name another with --out")
    if not folder.exists() or (folder / settings).exists():
        return
    if any(entry.name not in begun and not entry.name.startswith(PARTIAL) for entry in folder.iterdir()):
        raise RunError(f"{folder} is in use: it is not empty, and holds no {study}. Name another folder with --out")


def recipe_changes(before: Settings, now: Settings) -> Iterator[str]:
    """Each field of the recipe that was another."""
    for name, value in now["recipe"].items():
        if before["recipe"].get(name) != value:
            yield f"{name} was {before['recipe'].get(name)}, now {value}"


def image_changes(before: Settings, now: Settings) -> Iterator[str]:
    """That the images were others, if they were."""
    if before["pictures"].get("fingerprint") != now["pictures"]["fingerprint"]:
        yield f"it had other images, of {before['pictures'].get('name')}, than {now['pictures']['name']} has now"
