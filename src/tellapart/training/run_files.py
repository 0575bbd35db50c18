"""Files of a run's folder, whatever its model. No Keras here."""

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from tellapart.bundles.bundle import HASH_DIGITS, Bundle
from tellapart.bundles.manifest import Manifest
from tellapart.data.dataset import Dataset, ReadOptions, Skipped
from tellapart.data.preprocessing import Preprocessing
from tellapart.data.sources.apply_skips import is_user_skip
from tellapart.errors import RunError
from tellapart.files import atomic_write, csv_text
from tellapart.models.catalogue import lookup
from tellapart.models.resolved_recipe import ResolvedRecipe
from tellapart.progress import notify
from tellapart.read_files import read_json
from tellapart.recipe import AUTO, Recipe
from tellapart.text import printable
from tellapart.training.final_evaluation import FinalEvaluation
from tellapart.version import __version__

RECIPE, ENVIRONMENT, SPLIT = "recipe.toml", "environment.json", "split.csv"
WINNER, LADDER = "winner.toml", "ladder.csv"
"""The recipe that a budget chose, and the steps of the ladder, in the folder of a run."""
FEATURES = "features.json"
"""The key in the feature cache of the vectors that the classifier is built on."""
SKIPPED = "skipped.csv"
"""The images that could not be read, and why."""
METRICS = "metrics.json"
"""The last file of a run: with it the run is finished."""
PACKAGES = (
    "keras", "tensorflow", "tensorflow-cpu", "openvino", "numpy", "pillow", "imagehash", "scikit-learn", "skops",
    "optuna",
)  # fmt: skip

PATH_OPTIONS = ("skip", "root")
LATER_OPTIONS = ("label_from", "root", "encoding")  # left out where they are not given, as before there were any


class StoredDataset(TypedDict):
    """Fields of `environment.json` about a run's images."""

    name: str
    fingerprint: str
    source: NotRequired[str | None]
    reading: NotRequired[dict[str, str | bool | int | float | list[str] | None]]
    classes: NotRequired[list[str]]
    pictures: NotRequired[dict[str, int]]


class StoredEnvironment(TypedDict):
    """The fields of `environment.json` that are read again."""

    command: list[str]
    tellapart: str
    python: str
    platform: str
    packages: dict[str, str]
    dataset: StoredDataset


def with_stored_epochs(recipe: Recipe, folder: Path) -> Recipe:
    """Set epochs that are not given to those of the recipe in a folder: another version's default may be another."""
    path = folder / RECIPE
    if recipe.epochs is not None or not path.exists():
        return recipe
    return replace(recipe, epochs=Recipe.read(path).epochs)


def with_stored_model(recipe: Recipe, folder: Path) -> Recipe:
    """Set a model that the images are to decide to that of the recipe in a folder; and without a backbone its size."""
    path = folder / RECIPE
    if recipe.model != AUTO or not path.exists():
        return recipe
    stored = Recipe.read(path)
    size = stored.size if recipe.size is None and stored.weights == "none" else recipe.size
    return replace(recipe, model=stored.model, size=size)


def write_skipped(skipped: tuple[Skipped, ...], folder: Path) -> None:
    """Write `skipped.csv` where images were skipped, and report how many cannot be read."""
    if not skipped:
        return
    atomic_write(folder / SKIPPED, csv_text(("path", "reason"), [(image.path, image.reason) for image in skipped]))
    unread = [image for image in skipped if not is_user_skip(image)]
    if unread:
        notify(
            f"skipped {len(unread):,} images that cannot be read, {unread[0].path} ({unread[0].reason}) first: "
            f"all are in {folder / SKIPPED}"
        )


def seen_hashes(dataset: Dataset) -> dict[str, list[str]]:
    """Return, for each split used to train or choose, the start of its images' hashes: a bundle's `splits.json`."""
    names = [name for name in ("train", "validation") if name in dataset.splits]
    return {name: sorted({digest[:HASH_DIGITS] for digest in dataset.splits[name].images.digests}) for name in names}


def write_metrics(folder: Path) -> None:
    """Write the bundle's metrics as the run's `metrics.json`."""
    metrics = Bundle.open(folder / "bundle").metrics
    atomic_write(folder / METRICS, json.dumps(metrics, indent=2) + "\n")


def bundle_facts(
    dataset: Dataset, recipe: ResolvedRecipe, preprocessing: Preprocessing, evaluation: FinalEvaluation
) -> Manifest:
    """Collect the facts that a run's bundle has in its manifest."""
    return Manifest(
        name=dataset.name,
        classes=dataset.classes,
        preprocessing=preprocessing,
        recipe=recipe.as_dict() | {"weights": Path(recipe.weights).name},  # no folder of this machine
        metrics=evaluation.metrics,
        fingerprint=dataset.fingerprint,
        licence=lookup(recipe.backbone).licence if recipe.backbone else None,
        calibration=evaluation.calibration,
    )


def environment(dataset: Dataset) -> dict[str, Any]:
    """Collect the command, versions, machine and images of a run, as JSON."""
    return {
        "command": sys.argv,
        "tellapart": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": {name: installed for name in PACKAGES if (installed := _version(name))},
        "dataset": {
            "name": dataset.name,
            "source": _absolute(dataset.source),
            "reading": _reading(dataset.read_options),
            "fingerprint": dataset.fingerprint,
            "classes": list(dataset.classes),
            "pictures": {name: len(split) for name, split in dataset.splits.items()},
        },
    }


def read_environment(folder: Path) -> dict[str, Any]:
    """Read a run's `environment.json`. Raises OSError, ContentError."""
    return dict(read_json(folder / ENVIRONMENT, StoredEnvironment))


def reading_of(dataset: Mapping[str, Any]) -> ReadOptions:
    """Return the options that a run's images were read with, to open the same ones again. Raises RunError."""
    options = dataset.get("reading", {})  # a run of an earlier version has none
    if unknown := sorted(options.keys() - {field.name for field in fields(ReadOptions)}):
        raise RunError(f"the run's images were read with the unknown option {printable(unknown[0])}: update tellapart")
    paths = {name: None if options.get(name) is None else Path(options[name]) for name in PATH_OPTIONS}
    return ReadOptions(**{**options, "exclude_label": tuple(options.get("exclude_label", ())), **paths})


def _reading(read_options: ReadOptions) -> dict[str, Any]:
    options = asdict(read_options) | {"exclude_label": list(read_options.exclude_label)}
    for name in PATH_OPTIONS:
        options[name] = None if options[name] is None else str(options[name].absolute())
    return {name: value for name, value in options.items() if value is not None or name not in LATER_OPTIONS}


def _absolute(source: str | None) -> str | None:
    """Make a path absolute, so that a report finds it from any folder; a data set's name stays as it is."""
    path = Path(source or "")
    return str(path.absolute()) if source and (path.is_dir() or (path.suffix and path.is_file())) else source


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
