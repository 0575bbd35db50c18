"""The folder of a study: one command uses it at a time, and only the same study resumes in it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from tellapart.data.dataset import Dataset
from tellapart.errors import RunError
from tellapart.files import PARTIAL, atomic_write, exclusive_lock, remove_partials
from tellapart.read_files import read_json
from tellapart.recipe import Recipe

LOCK = ".lock"
Settings = Mapping[str, Any]
"""Everything that decides how a study ends, as it is written to JSON."""
Differences = Callable[[Settings, Settings], Iterator[str]]
"""Compares the settings of before and now: a clause for each that differs."""


class StoredSettings(TypedDict):
    """Fields of the settings of every study; the others depend on its kind."""

    recipe: dict[str, Any]
    pictures: dict[str, str | None]


@dataclass(frozen=True)
class StudyFolder:
    """A folder and what a study writes there. It belongs to the study whose `settings_file` is in it."""

    path: Path
    study: str
    """The kind of study, as messages name it, such as "search"."""
    settings_file: str
    early_files: frozenset[str] = frozenset()
    """Names that a study killed at its very start may leave without a settings file."""
    subfolders: tuple[str, ...] = ()
    """Those in which a kill may leave partial files."""
    has_fresh: bool = False
    """Whether the command has --fresh."""

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other commands out inside the block, and remove what a kill left half-written.

        Raises RunError for a file, a folder that contains something else, and one that another command uses.
        """
        self._require_own()
        with exclusive_lock(self.path / LOCK, f"another {self.study}", "name another --out"):
            remove_partials(self.path, *(self.path / name for name in self.subfolders))
            yield

    def claim(self, settings: Settings, differences: Differences) -> None:
        """Write the settings, or require those in the folder to be the same. Raises RunError that says what differs."""
        if (self.path / self.settings_file).exists():
            self.require_same(self.changes(settings, differences))
        else:
            self.write(settings)

    def write(self, settings: Settings) -> None:
        """Write the settings file."""
        atomic_write(self.path / self.settings_file, json.dumps(settings, indent=2) + "\n")

    def changes(self, settings: Settings, differences: Differences) -> list[str]:
        """Return what differs from the settings in the folder."""
        file = self.path / self.settings_file
        try:
            return [*differences(read_json(file, StoredSettings), settings)]
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            return [f"its {self.settings_file} cannot be read ({error!r})"]

    def require_same(self, changes: list[str]) -> None:
        """Raise RunError unless there are no changes."""
        if changes:
            fresh = ", name another folder with --out, or begin again with --fresh"
            raise RunError(
                f"{self.path} contains another {self.study}: {'; '.join(changes)}. Give the same settings to resume it"
                f"{fresh if self.has_fresh else ', or name another folder with --out'}"
            )

    def _require_own(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path} is a file; expected a folder for the {self.study}: name another with --out")
        if not self.path.exists() or (self.path / self.settings_file).exists():
            return
        names = {entry.name for entry in self.path.iterdir()} - self.early_files - {LOCK}
        if any(not name.startswith(PARTIAL) for name in names):
            raise RunError(
                f"{self.path} is in use: it is not empty, and contains no {self.study}. Name another folder with --out"
            )


def study_settings(dataset: Dataset, recipe: Recipe, **more: object) -> dict[str, Any]:
    """Return the recipe, the identity of the images and whatever else decides, as JSON restores them."""
    images = {"name": dataset.name, "fingerprint": dataset.fingerprint}
    settings: dict[str, Any] = json.loads(json.dumps({"recipe": recipe.stored(), **more, "pictures": images}))
    return settings


def recipe_differences(before: Settings, now: Settings) -> Iterator[str]:
    """Yield a clause for each field of the recipe that differs."""
    defaults = asdict(Recipe())  # a version without a field did what its default does
    earlier = defaults | before["recipe"]
    for name, value in (defaults | now["recipe"]).items():
        if earlier[name] != value:
            yield f"{name} was {earlier[name]}, now {value}"


def image_differences(before: Settings, now: Settings) -> Iterator[str]:
    """Yield a clause if the images differ."""
    if before["pictures"].get("fingerprint") != now["pictures"]["fingerprint"]:
        yield f"it had other images, of {before['pictures'].get('name')}, than {now['pictures']['name']} has now"
