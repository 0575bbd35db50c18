"""Cross-validation: every image but those for test is predicted once, by a classifier trained without it.

Each finished fold is kept in the folder, so an interrupted cross-validation resumes with the next one.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.backend import load_keras
from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.splits.draw_splits import draw_splits, require_classes
from tellapart.errors import DatasetError, RunError
from tellapart.jobs import Jobs
from tellapart.models.resolved_recipe import EstimatorRecipe, ResolvedRecipe
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.studies.folds.estimator_learner import EstimatorLearner
from tellapart.studies.folds.folds_folder import (
    checkpoint_folder,
    claim_folder,
    finished_folds,
    read_fold,
    remove_checkpoints,
    write_fold,
)
from tellapart.studies.folds.learner import Learner
from tellapart.studies.folds.plan import FoldPlan, plan_folds
from tellapart.studies.folds.results import CrossValidation, FoldResult, judge_folds, write_results
from tellapart.studies.workers import cache_warmup_lock, compute_features, with_fixed_precision
from tellapart.training.run_files import write_skipped
from tellapart.training.training_warnings import HELD_OUT, Training, judged_warnings


def cross_validate(
    dataset: Dataset | str | Path, recipe: Recipe, *, count: int, out: str | Path, jobs: Jobs | None = None
) -> CrossValidation:
    """Judge a recipe by `count` stratified folds of the training and validation images; test images are not used.

    For each fold the other images are split and trained on as `train` does it, so the epoch is chosen on some of
    them. `out` is a new folder, or that of the same folds, which then resume. With `jobs` its workers train; the
    result is the same. Raises a TellapartError.
    """
    folder, plan = Path(out), plan_folds(Dataset.of(dataset), recipe, count)
    with claim_folder(folder, plan.dataset, plan.recipe, count):
        notify(plan.summary)
        missing = sorted(set(range(1, count + 1)) - finished_folds(folder))
        if missing:
            _run_folds(plan, missing, folder, jobs)
        results = [read_fold(folder, number) for number in range(1, count + 1)]
        validation = judge_folds(folder, Recipe(**vars(plan.recipe)), plan.dataset, results)
        write_results(validation, results, plan.dataset, plan.test_count)
    return validation


def make_learner(dataset: Dataset, recipe: ResolvedRecipe) -> Learner:
    """Return what learns by the recipe from the `train` of a data set. Raises WeightsError."""
    if isinstance(recipe, EstimatorRecipe):
        return EstimatorLearner(dataset, recipe)
    load_keras()
    from tellapart.studies.folds.network_learner import NetworkLearner

    return NetworkLearner(dataset, recipe)


def _run_folds(plan: FoldPlan, missing: Sequence[int], folder: Path, jobs: Jobs | None) -> None:
    results = _run_here(plan, missing, folder) if jobs is None else _run_by_jobs(plan, missing, folder, jobs)
    started = time.monotonic()
    for done, result in enumerate(results, start=1):
        write_fold(folder, result)
        remove_checkpoints(folder, result.fold)
        left = (time.monotonic() - started) / done * (len(missing) - done)
        fold = f"fold {result.fold} of {len(plan.parts)}"
        notify(f"{fold}: accuracy {result.row.accuracy:.1%}, {result.seconds:,.1f} s; about {left:,.0f} s left")


def _run_here(plan: FoldPlan, missing: Sequence[int], folder: Path) -> Iterator[FoldResult]:
    """Run one fold after the other."""
    learner = make_learner(plan.dataset, plan.recipe)
    write_skipped(learner.dataset.skipped, folder)
    return (_run_fold(learner, plan, number, checkpoint_folder(folder, number)) for number in missing)


def _run_by_jobs(plan: FoldPlan, missing: Sequence[int], folder: Path, jobs: Jobs) -> Iterator[FoldResult]:
    """Run several folds at the same time, and yield them as they end."""
    compute_features(plan.dataset, plan.recipe, jobs)
    notify("workers train the folds: each is shown when it has ended")
    job = FoldJob(replace(plan, recipe=with_fixed_precision(plan.recipe)), folder.resolve())
    for number, (result, skipped) in enumerate(jobs.run(job, missing)):
        if number == 0:  # the same for all
            write_skipped(skipped, folder)
        yield result


@dataclass(frozen=True)
class FoldJob:
    """The job of a worker; an item is the number of a fold. `folder` keeps the checkpoints of unfinished folds."""

    plan: FoldPlan
    folder: Path

    def __call__(self) -> Callable[[int], tuple[FoldResult, tuple[Skipped, ...]]]:
        """Read the images and run the backbone over them, once for each worker."""
        with cache_warmup_lock(self.plan.dataset):
            learner = make_learner(self.plan.dataset, self.plan.recipe)
        return partial(self._run, learner)

    def _run(self, learner: Learner, number: int) -> tuple[FoldResult, tuple[Skipped, ...]]:
        checkpoints = checkpoint_folder(self.folder, number)
        return _run_fold(learner, self.plan, number, checkpoints), learner.dataset.skipped


def _run_fold(learner: Learner, plan: FoldPlan, number: int, checkpoints: Path) -> FoldResult:
    """Train on the images outside a fold, and predict those inside."""
    started = time.monotonic()
    pool, inside = learner.dataset.splits["train"], _inside(learner.dataset, plan, number)
    if not inside.any():
        raise DatasetError(f"none of the images of fold {number} can be read: check the files")
    outside, held_out = (pool.take(np.flatnonzero(rows).tolist()) for rows in (~inside, inside))
    dataset = replace(plan.dataset, name=f"{plan.dataset.name} without fold {number}", splits={"all": outside})
    dataset = draw_splits(dataset, validation=plan.recipe.validation, test=0.0, seed=plan.recipe.split_seed)
    require_classes(dataset)
    prediction = learner.learn(dataset, held_out.images, checkpoints)
    if not np.isfinite(prediction.probabilities).all():
        raise RunError(
            f"the probabilities of fold {number} are not numbers: its training diverged. Give a lower "
            f"--learning-rate, such as `tellapart lr-find` suggests"
        )
    seconds = time.monotonic() - started
    labels, probabilities = held_out.labels, prediction.probabilities
    training = Training(plan.recipe, plan.dataset.source)
    warnings = judged_warnings(
        prediction.histories, labels, probabilities.argmax(axis=1), dataset.classes, HELD_OUT, training
    )
    return FoldResult(number, held_out.images.digests, labels, probabilities, prediction.epoch, seconds, warnings)


def _inside(dataset: Dataset, plan: FoldPlan, number: int) -> NDArray[np.bool_]:
    """Mark the readable images that are in a fold: bool (n,)."""
    digests = plan.dataset.splits["train"].images.digests
    fold = {digests[index] for index in plan.parts[number - 1]}
    return np.array([digest in fold for digest in dataset.splits["train"].images.digests])
