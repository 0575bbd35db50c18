"""Runs: `train` trains a classifier into a folder, and `Run` reads that folder."""

import json
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tellapart.backend import load_keras
from tellapart.bundles.bundle import Bundle
from tellapart.bundles.stored_predictions import FOLDER as PREDICTIONS
from tellapart.bundles.stored_predictions import StoredPredictions, read_predictions
from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import share_notes
from tellapart.data.splits.split_csv import is_in_files, split_text
from tellapart.errors import RunError, TellapartError
from tellapart.files import PARTIAL, atomic_write, remove_partials
from tellapart.judging.evaluation import Evaluation, judge
from tellapart.late_binding import late_bound
from tellapart.models.resolved_recipe import EstimatorRecipe, ResolvedRecipe, resolve
from tellapart.progress import notify
from tellapart.read_files import ContentError, read_json
from tellapart.recipe import Recipe
from tellapart.training.budget import Budget, Limits, limits_of, require_budget
from tellapart.training.estimator_run import train_estimator
from tellapart.training.prepare import draw_all_splits, preflight, with_model
from tellapart.training.run_files import (
    ENVIRONMENT,
    METRICS,
    RECIPE,
    SKIPPED,
    SPLIT,
    WINNER,
    environment,
    read_environment,
    with_stored_epochs,
    with_stored_model,
)


@dataclass(frozen=True)
class Run:
    """Folder of a finished training: recipe.toml, environment.json, split.csv, history.csv, metrics.json, bundle/.

    The folder `answers` has what the bundle answered for each image of `validation` and `test`: see `predictions`.
    """

    folder: Path

    def __post_init__(self) -> None:
        """Take the folder in text, too."""
        object.__setattr__(self, "folder", Path(self.folder))

    @staticmethod
    def open(folder: str | Path) -> "Run":
        """Open the folder of a finished run. Raises RunError where it is none."""
        run = Run(Path(folder))
        if not (run.folder / METRICS).is_file():
            raise RunError(f"{folder} is not a finished run: {_what_it_is(run.folder)}")
        return run

    @cached_property
    def recipe(self) -> Recipe:
        """Recipe with every default filled in."""
        return Recipe.read(self.folder / RECIPE)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Command, versions and machine of the run, and facts of its images. Raises RunError."""
        try:
            return read_environment(self.folder)
        except (OSError, ContentError) as error:
            raise RunError(f"{self.folder} is not a run: its {ENVIRONMENT} cannot be read ({error})") from error

    @cached_property
    def bundle(self) -> Bundle:
        """The trained classifier."""
        return Bundle.open(self.folder / "bundle")

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Size and metrics with intervals of each split evaluated. Raises RunError."""
        try:
            return read_json(self.folder / METRICS, dict[str, Any])
        except (OSError, ContentError) as error:
            raise RunError(f"{self.folder} is not a finished run: its {METRICS} cannot be read ({error})") from error

    def predictions(self, split: Literal["validation", "test"] = "test") -> StoredPredictions:
        """Read what the bundle answered for each image of a split when the run ended: labels, probabilities, names.

        Nothing is predicted again. Raises RunError where the run did not evaluate that split.
        """
        stored = read_predictions(self.folder, split)
        if stored is None:
            raise RunError(f"{self.folder} has no predictions for {split}: evaluate its bundle on labelled images")
        return stored

    def evaluation(self, split: Literal["validation", "test"] = "test") -> Evaluation:
        """Judge the stored predictions of a split: metrics with intervals, paths, mistakes. Raises RunError."""
        stored = self.predictions(split)
        classes = self.bundle.classes
        return judge(stored.labels, stored.probs, classes, groups=stored.groups, paths=stored.names)

    def _repr_html_(self) -> str:
        """Show recipe, metrics and bundle in a notebook."""
        return str(late_bound("run_html")(self))


def _what_it_is(folder: Path) -> str:
    """Say what was found in place of a finished run, and what to do."""
    if not folder.is_dir():
        return f"there is no such folder (now in {Path.cwd()})"
    if (folder / "bundle.json").is_file():
        return "it is a bundle. Open it with Bundle.open, or name the folder above it"
    if (folder / RECIPE).is_file():
        return f"it has no {METRICS} yet. Train with resume=True, or --resume, to finish it"
    return f"it has no {METRICS}. Name the folder that was given as out, or with --out"


def train(
    dataset: Dataset | str | Path,
    recipe: Recipe,
    *,
    out: str | Path,
    resume: bool = False,
    budget: Budget | None = None,
    seconds: float | None = None,
    forbid: Collection[str] = (),
    strict: bool = False,
    effort: Budget | None = None,
) -> Run:
    """Train, evaluate and bundle a classifier into the folder `out`. The data set may be named by its source.

    `out` must be new or empty, unless `resume` continues a killed run of the same recipe and images there: it ends
    with the weights of an uninterrupted run. With a `budget`, or a number of `seconds`, the recipe is the start of a
    ladder of better and better ones; a network from scratch has as many epochs as fit. Problems of the images that are
    cheap to find are reported first; findings of the kinds in `forbid` (`checking.finding.KINDS`), and with `strict`
    all problems and warnings, are refused before anything is written (DatasetError). `effort` is the old name of
    `budget`. Raises a TellapartError.
    """
    if effort is not None:
        warnings.warn("effort is now called budget", DeprecationWarning, stacklevel=2)
        budget = budget or effort
    folder, may_enlarge = Path(out), recipe.size is None
    whole = Dataset.of(dataset)
    recipe = with_model(whole, with_stored_model(recipe, folder) if resume else recipe)
    limits = limits_of(budget or "best", seconds) if budget or seconds is not None else None
    if limits:
        require_budget(recipe)
    dataset, recipe = draw_all_splits(whole, recipe)
    for note in share_notes(whole, dataset, validation=recipe.validation or 0.0, test=recipe.test):
        notify(note)
    if resume:
        recipe = with_stored_epochs(recipe, folder)
    resolved = resolve(recipe, own_size=dataset.own_size, train_images=len(dataset.splits["train"]))
    if not (folder / METRICS).exists():
        preflight(dataset, forbid=forbid, strict=strict)
    _claim(folder, dataset, resolved, resume=resume)
    if not (folder / METRICS).exists():
        with _released_when_refused(folder):
            _train_into(folder, dataset, resolved, limits, may_enlarge=may_enlarge)
    return Run(folder)


def _train_into(
    folder: Path, dataset: Dataset, recipe: ResolvedRecipe, limits: Limits | None, *, may_enlarge: bool
) -> None:
    """Load Keras only for what needs it, and now that every check has passed."""
    if isinstance(recipe, EstimatorRecipe):
        train_estimator(dataset, recipe, folder)
        return
    load_keras()
    from tellapart.training.network_run import train_network

    train_network(dataset, recipe, folder, limits, may_enlarge=may_enlarge)


def _claim(folder: Path, dataset: Dataset, recipe: ResolvedRecipe, *, resume: bool) -> None:
    """Make the run's folder, or find the same recipe and images in it. Raises RunError."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; expected a new folder for the run: name another with --out")
    begun = (folder / RECIPE).exists()
    if begun and resume:
        remove_partials(folder, folder / PREDICTIONS)
        _require_same(folder, dataset, recipe)
        return
    if not _is_free(folder, resume=resume):
        hint = ", or continue the run that is there with --resume" if begun else ""
        raise RunError(f"{folder} is in use: it is not empty. Name another folder with --out{hint}")
    if (folder / SKIPPED).exists():  # of a run that was refused here
        (folder / SKIPPED).unlink()
    atomic_write(folder / ENVIRONMENT, json.dumps(environment(dataset), indent=2) + "\n")
    if is_in_files(dataset):  # images in arrays have no names that a table could list
        atomic_write(folder / SPLIT, split_text(dataset, folder))
    recipe.write(folder / RECIPE)


def _is_free(folder: Path, *, resume: bool) -> bool:
    """Tell whether a folder has nothing but what a refusal, or a kill at the very start, left there."""
    if not folder.exists():
        return True
    if resume:
        remove_partials(folder)
    left_over = (SKIPPED, ENVIRONMENT, SPLIT) if resume else (SKIPPED,)
    return all(entry.name in left_over or entry.name.startswith(PARTIAL) for entry in folder.iterdir())


@contextmanager
def _released_when_refused(folder: Path) -> Iterator[None]:
    """Free the folder when a run is refused before its first epoch, so that a second try may name it.

    The list of skipped images stays, since a message names it.
    """
    try:
        yield
    except TellapartError:
        if not (folder / "checkpoints").exists():
            for name in (RECIPE, ENVIRONMENT, SPLIT, WINNER):
                (folder / name).unlink(missing_ok=True)
        raise


def _require_same(folder: Path, dataset: Dataset, recipe: ResolvedRecipe) -> None:
    before = asdict(Recipe.read(folder / RECIPE))
    changes = [f"{name} was {before[name]}, now {now}" for name, now in asdict(recipe).items() if before[name] != now]
    if changes:
        raise RunError(
            f"{folder} was begun with another recipe: {'; '.join(changes)}. Resume with the same, or name another --out"
        )
    if Run(folder).environment["dataset"]["fingerprint"] != dataset.fingerprint:
        raise RunError(
            f"the images of {dataset.name} have changed since {folder} was begun: train again, with another --out"
        )
