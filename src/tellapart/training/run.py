"""Run: a folder with everything one training did, and `train`, which makes it."""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tellapart.backend import load_keras
from tellapart.bundles.bundle import Bundle
from tellapart.bundles.stored_predictions import FOLDER as ANSWERS
from tellapart.data.dataset import Dataset
from tellapart.data.splits.split_csv import is_in_files, split_text
from tellapart.errors import RunError, TellapartError
from tellapart.files import PARTIAL, atomic_write, remove_partials
from tellapart.late_binding import late_bound
from tellapart.models.resolved_recipe import EstimatorRecipe, ResolvedRecipe, resolve
from tellapart.recipe import Recipe
from tellapart.training import classical
from tellapart.training.budget import Budget, Limits, limits, require_free
from tellapart.training.environment import environment
from tellapart.training.preflight import preflight
from tellapart.training.prepare import SKIPPED, draw_all_splits

RECIPE, ENVIRONMENT, SPLIT = "recipe.toml", "environment.json", "split.csv"


@dataclass(frozen=True)
class Run:
    """A finished training's folder: recipe.toml, environment.json, split.csv, history.csv, metrics.json, bundle/."""

    folder: Path

    @cached_property
    def recipe(self) -> Recipe:
        """What was asked for, settled."""
        return Recipe.read(self.folder / RECIPE)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """What it ran on and with, and the facts of its images. Raises RunError."""
        try:
            facts: dict[str, Any] = json.loads((self.folder / ENVIRONMENT).read_text())
        except (OSError, ValueError) as error:
            raise RunError(f"{self.folder} is not a run: its {ENVIRONMENT} cannot be read ({error})") from error
        if not isinstance(facts, dict) or not facts.get("dataset", {}).keys() >= {"name", "fingerprint"}:
            raise RunError(f"{self.folder} is not a whole run: its {ENVIRONMENT} does not say what it was trained on")
        return facts

    @cached_property
    def bundle(self) -> Bundle:
        """The classifier."""
        return Bundle.open(self.folder / "bundle")

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """For each split judged: its size, and each metric with its interval."""
        metrics: dict[str, Any] = json.loads((self.folder / "metrics.json").read_text())
        return metrics

    def _repr_html_(self) -> str:
        """Recipe, metrics and bundle, for a notebook."""
        return str(late_bound("run_html")(self))


def train(
    dataset: Dataset,
    recipe: Recipe,
    *,
    out: str | Path,
    resume: bool = False,
    effort: Budget | None = None,
    seconds: float | None = None,
    forbid: Collection[str] = (),
    strict: bool = False,
) -> Run:
    """Train, judge and bundle a classifier into the folder `out`.

    `out` must be new or empty, unless `resume` goes on with a killed run of the same recipe and images there:
    it ends with the weights that an uninterrupted run has. With an `effort`, or a number of `seconds`, the recipe is
    where a ladder of better and better ones begins. What is cheap to find wrong with the images is said first;
    findings of the kinds in `forbid` (`checking.finding.KINDS`), and with `strict` all problems and warnings, are
    refused before anything is written (DatasetError). Raises a TellapartError with a sentence.
    """
    climbs = effort is not None or seconds is not None
    if climbs:
        require_free(recipe)
    bigger = recipe.size is None
    folder = Path(out)
    dataset, recipe = draw_all_splits(dataset, recipe)
    resolved = resolve(recipe, own_size=dataset.own_size)
    if not (folder / "metrics.json").exists():
        preflight(dataset, forbid=forbid, strict=strict)
    _claim(folder, dataset, resolved, resume=resume)
    if not (folder / "metrics.json").exists():
        with _released_when_refused(folder):
            _work(dataset, resolved, folder, limits(effort or "best", seconds) if climbs else None, bigger=bigger)
    return Run(folder)


def _work(dataset: Dataset, recipe: ResolvedRecipe, folder: Path, limits: Limits | None, *, bigger: bool) -> None:
    """Bring in what the recipe needs, now that all checks have passed: an estimator on pixels needs no TensorFlow."""
    if isinstance(recipe, EstimatorRecipe):
        classical.train_estimator(dataset, recipe, folder)
        return
    load_keras()
    from tellapart.training.network_run import train_network

    train_network(dataset, recipe, folder, limits, bigger=bigger)


def _claim(folder: Path, dataset: Dataset, recipe: ResolvedRecipe, *, resume: bool) -> None:
    """Make the run's folder, or find in it the same recipe and images. Raises RunError."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; expected a new folder for the run: name another with --out")
    begun = (folder / RECIPE).exists()
    if begun and resume:
        remove_partials(folder, folder / ANSWERS)
        _require_same(folder, dataset, recipe)
        return
    if not _free(folder, resume=resume):
        hint = ", or go on with what is there with --resume" if begun else ""
        raise RunError(f"{folder} is in use: it is not empty. Name another folder with --out{hint}")
    if (folder / SKIPPED).exists():  # of a run that was refused here
        (folder / SKIPPED).unlink()
    atomic_write(folder / ENVIRONMENT, json.dumps(environment(dataset), indent=2) + "\n")
    if is_in_files(dataset):  # images in arrays have no names that a table could list
        atomic_write(folder / SPLIT, split_text(dataset, folder))
    recipe.write(folder / RECIPE)


def _free(folder: Path, *, resume: bool) -> bool:
    """Whether a run may begin in a folder: it has nothing but what a refusal or a kill at the very start left there."""
    if not folder.exists():
        return True
    if resume:
        remove_partials(folder)
    started = (SKIPPED, ENVIRONMENT, SPLIT) if resume else (SKIPPED,)
    return all(entry.name in started or entry.name.startswith(PARTIAL) for entry in folder.iterdir())


@contextmanager
def _released_when_refused(folder: Path) -> Iterator[None]:
    """Give the folder back when a run is refused before its first epoch, so that a second try may name it.

    The list of what could not be read stays, since the person has been told of it.
    """
    try:
        yield
    except TellapartError:
        if not (folder / "checkpoints").exists():
            for name in (RECIPE, ENVIRONMENT, SPLIT):
                (folder / name).unlink(missing_ok=True)
        raise


def _require_same(folder: Path, dataset: Dataset, recipe: ResolvedRecipe) -> None:
    before = asdict(Recipe.read(folder / RECIPE))
    changed = [f"{name} was {before[name]}, now {now}" for name, now in asdict(recipe).items() if before[name] != now]
    if changed:
        raise RunError(
            f"{folder} was begun with another recipe: {'; '.join(changed)}. Resume with the same, or name another --out"
        )
    began_with = json.loads((folder / ENVIRONMENT).read_text())["dataset"]["fingerprint"]
    if began_with != dataset.fingerprint:
        raise RunError(
            f"the images of {dataset.name} have changed since {folder} was begun: train anew, with another --out"
        )
