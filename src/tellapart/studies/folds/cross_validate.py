"""Folds: every image but those for test is judged once, by a classifier that was trained without it.

A folder of folds goes on where it was stopped: each fold is kept when it is finished.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.duplicate_families import with_duplicate_families
from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.splits.draw_splits import draw_splits, require_classes, validation_share
from tellapart.data.splits.folds import folds as divided
from tellapart.data.splits.merge_splits import with_validation_in_train
from tellapart.errors import DatasetError, RecipeError, RunError
from tellapart.jobs import Jobs
from tellapart.models.catalogue import lookup
from tellapart.models.resolved_recipe import NetworkRecipe, ResolvedRecipe, resolve
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.studies.folds.folder import (
    checkpoint_folder,
    claim_folder,
    finished_folds,
    read_fold,
    remove_checkpoints,
    write_fold,
)
from tellapart.studies.folds.learners import Learner, make_learner
from tellapart.studies.folds.results import CrossValidation, FoldResult, judge_folds, write_results
from tellapart.studies.workers import cache_warmup_lock, compute_features, with_fixed_precision
from tellapart.training.prepare import list_skipped

MAX_FOLDS = 1_000


@dataclass(frozen=True)
class FoldPlan:
    """What is divided, by which recipe. The data set has the images of all folds in `train`, and no other."""

    dataset: Dataset
    recipe: ResolvedRecipe
    parts: tuple[NDArray[np.intp], ...]
    """For each fold its images, by their places in `train`."""
    closed: int
    """How many test images stay shut."""


def cross_validate(
    dataset: Dataset, recipe: Recipe, *, count: int, out: str | Path, jobs: Jobs | None = None
) -> CrossValidation:
    """Judge a recipe by `count` stratified folds of the training and validation images; test stays shut.

    In each fold the other images are divided and trained on as `train` does it, so the epoch is chosen on some of
    those. `out` is a new folder, or that of the same folds, which are gone on with. With `jobs` others train, and the
    folds are the same. Raises a TellapartError.
    """
    folder, plan = Path(out), plan_folds(dataset, recipe, count)
    with claim_folder(folder, plan.dataset, plan.recipe, count):
        _say_what(plan)
        missing = sorted(set(range(1, count + 1)) - finished_folds(folder))
        if missing:
            _learn(plan, missing, folder, jobs)
        parts = [read_fold(folder, number) for number in range(1, count + 1)]
        found = judge_folds(folder, plan.recipe, plan.dataset.classes, parts)
        write_results(found, parts, plan.dataset, plan.closed)
    return found


def plan_folds(dataset: Dataset, recipe: Recipe, count: int) -> FoldPlan:
    """Check everything that can be before an image is decoded. Raises RecipeError or DatasetError."""
    if not 2 <= count <= MAX_FOLDS:
        raise RecipeError(f"folds is {count}; expected 2 to {MAX_FOLDS:,}, such as --folds 5")
    resolve(replace(recipe, validation=recipe.validation or 0.0), own_size=dataset.own_size)  # it says what is wrong
    dataset = draw_splits(with_duplicate_families(dataset), validation=0.0, test=recipe.test, seed=recipe.split_seed)
    closed = len(dataset.splits["test"]) if "test" in dataset.splits else 0
    if "validation" in dataset.splits:
        dataset = with_validation_in_train(dataset)
    pool = replace(dataset, splits={"train": dataset.splits["train"]})
    require_classes(pool)
    parts = divided(pool.splits["train"], count, recipe.split_seed, pool.families, classes=pool.classes)
    resolved = resolve(replace(recipe, validation=_share(pool, recipe, parts)), own_size=dataset.own_size)
    return FoldPlan(pool, resolved, parts, closed)


def _share(pool: Dataset, recipe: Recipe, parts: Sequence[NDArray[np.intp]]) -> float:
    """What is held out for choosing, of the images outside a fold; nothing where there is nothing to choose."""
    if recipe.validation is not None:
        return recipe.validation
    rest = pool.splits["train"].take(np.concatenate(parts[1:]).tolist())
    return 0.0 if lookup(recipe.model).estimator else validation_share(replace(pool, splits={"train": rest}))


def _say_what(plan: FoldPlan) -> None:
    count, images, share = len(plan.parts), len(plan.dataset.splits["train"]), plan.recipe.validation
    chosen = f"; of the others {share:.0%} choose the epoch" if share and isinstance(plan.recipe, NetworkRecipe) else ""
    test = f"the {plan.closed:,} for test stay shut" if plan.closed else "none is kept for test"
    notify(
        f"{plan.dataset.name}: {count} folds of {images:,} images, about {images / count:,.0f} judged in each"
        f"{chosen}; {test}"
    )


def _learn(plan: FoldPlan, missing: Sequence[int], folder: Path, jobs: Jobs | None) -> None:
    parts = _here(plan, missing, folder) if jobs is None else _elsewhere(plan, missing, folder, jobs)
    began = time.monotonic()
    for done, part in enumerate(parts, start=1):
        write_fold(folder, part)
        remove_checkpoints(folder, part.fold)
        left = (time.monotonic() - began) / done * (len(missing) - done)
        place = f"fold {part.fold} of {len(plan.parts)}"
        notify(f"{place}: accuracy {part.row.accuracy:.1%}, {part.seconds:,.1f} s; about {left:,.0f} s left")


def _here(plan: FoldPlan, missing: Sequence[int], folder: Path) -> Iterator[FoldResult]:
    """One fold after the other."""
    learner = make_learner(plan.dataset, plan.recipe)
    list_skipped(learner.dataset.skipped, folder)
    return (_learned(learner, plan, number, checkpoint_folder(folder, number)) for number in missing)


def _elsewhere(plan: FoldPlan, missing: Sequence[int], folder: Path, jobs: Jobs) -> Iterator[FoldResult]:
    """Several folds at once, in the order in which they end."""
    compute_features(plan.dataset, plan.recipe, jobs)
    notify("the folds are learned by workers: each is told when it has ended")
    learning = FoldJob(replace(plan, recipe=with_fixed_precision(plan.recipe)), folder.resolve())
    for number, (part, skipped) in enumerate(jobs.run(learning, missing)):
        if number == 0:  # the same for all
            list_skipped(skipped, folder)
        yield part


@dataclass(frozen=True)
class FoldJob:
    """The job: what is divided, and the folder of the folds, in which a fold's training keeps checkpoints."""

    plan: FoldPlan
    folder: Path

    def __call__(self) -> Callable[[int], tuple[FoldResult, tuple[Skipped, ...]]]:
        """Read the images, and run the base over them, once for each worker."""
        with cache_warmup_lock(self.plan.dataset):
            learner = make_learner(self.plan.dataset, self.plan.recipe)
        return partial(self._fold, learner)

    def _fold(self, learner: Learner, number: int) -> tuple[FoldResult, tuple[Skipped, ...]]:
        return _learned(learner, self.plan, number, checkpoint_folder(self.folder, number)), learner.dataset.skipped


def _learned(learner: Learner, plan: FoldPlan, number: int, checkpoints: Path) -> FoldResult:
    """Train on what is not in a fold, and answer for what is."""
    began = time.monotonic()
    pool, inside = learner.dataset.splits["train"], _inside(learner.dataset, plan, number)
    if not inside.any():
        raise DatasetError(f"none of the images of fold {number} can be read: check the files")
    rest, held = (pool.take(np.flatnonzero(rows).tolist()) for rows in (~inside, inside))
    dataset = replace(plan.dataset, name=f"{plan.dataset.name} without fold {number}", splits={"all": rest})
    dataset = draw_splits(dataset, validation=plan.recipe.validation, test=0.0, seed=plan.recipe.split_seed)
    require_classes(dataset)
    found = learner.learn(dataset, held.images, checkpoints)
    if not np.isfinite(found.probabilities).all():
        raise RunError(
            f"fold {number} has answers that are no numbers: its training diverged. Give a lower --learning-rate, "
            f"such as `tellapart find-rate` suggests"
        )
    seconds = time.monotonic() - began
    return FoldResult(number, held.images.digests, held.labels, found.probabilities, found.epoch, seconds)


def _inside(dataset: Dataset, plan: FoldPlan, number: int) -> NDArray[np.bool_]:
    """Which of the readable images are in a fold: bool (n,)."""
    every = plan.dataset.splits["train"].images.digests
    mine = {every[place] for place in plan.parts[number - 1]}
    return np.array([digest in mine for digest in dataset.splits["train"].images.digests])
