"""Workers that train the trials of a sweep. Each has a TrialRunner, whose compiled loops it keeps between trials."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tellapart.backend import load_keras
from tellapart.data.dataset import Dataset
from tellapart.jobs import Jobs, Work
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.progress import notify
from tellapart.studies.workers import cache_warmup_lock, compute_features, with_fixed_precision

if TYPE_CHECKING:
    from tellapart.studies.sweep.background_trial import Outcome
    from tellapart.studies.sweep.trial_runner import TrialRunner

NumberedRecipe = tuple[int, NetworkRecipe]
"""A trial to train: its number and its recipe."""


@dataclass(frozen=True)
class TrialJob:
    """The job; an item is a trial. `recipe` is one of the recipes that will be trained."""

    dataset: Dataset
    recipe: NetworkRecipe

    def __call__(self) -> "Callable[[NumberedRecipe], tuple[int, Outcome]]":
        """Load what training needs and read the images, once for each worker."""
        load_keras()
        from tellapart.studies.sweep.trial_runner import TrialRunner

        runner = TrialRunner(self.dataset)
        with cache_warmup_lock(self.dataset):
            runner.task(self.recipe)
        return partial(_train, runner)


@dataclass
class TrialWorkers:
    """The workers of `jobs`, from the first trial until `stack` is closed. Lives for one sweep."""

    jobs: Jobs
    dataset: Dataset
    stack: ExitStack
    work: "Work[NumberedRecipe, tuple[int, Outcome]] | None" = None

    def start(self, recipe: NetworkRecipe) -> "Work[NumberedRecipe, tuple[int, Outcome]]":
        """Start the workers, unless they run already. `recipe` is one of those that will be trained."""
        if self.work is None:
            compute_features(self.dataset, recipe, self.jobs)
            notify("workers train the trials of a round: each is shown when it has ended")
            job = TrialJob(self.dataset, with_fixed_precision(recipe))
            self.work = self.stack.enter_context(self.jobs.workers(job))
        return self.work


def _train(runner: "TrialRunner", trial: NumberedRecipe) -> "tuple[int, Outcome]":
    number, recipe = trial
    return number, runner.train(recipe, lambda _: None)
