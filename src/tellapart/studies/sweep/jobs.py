"""The trials of a sweep by whoever does jobs: each worker has a bench, whose compiled loops it keeps between trials."""

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
"""A trial that is to be trained, by its number."""


@dataclass(frozen=True)
class TrialJob:
    """The job: the images, and one of the recipes that will be asked for. An item is a trial."""

    dataset: Dataset
    recipe: NetworkRecipe

    def __call__(self) -> "Callable[[NumberedRecipe], tuple[int, Outcome]]":
        """Load what training needs and read the images, once for each worker."""
        load_keras()
        from tellapart.studies.sweep.trial_runner import TrialRunner

        bench = TrialRunner(self.dataset)
        with cache_warmup_lock(self.dataset):
            bench.task(self.recipe)
        return partial(_trained, bench)


@dataclass
class TrialWorkers:
    """Whoever does jobs, from the first trial on until `stack` is closed. Lives for one sweep."""

    jobs: Jobs
    dataset: Dataset
    stack: ExitStack
    work: "Work[NumberedRecipe, tuple[int, Outcome]] | None" = None

    def ready(self, recipe: NetworkRecipe) -> "Work[NumberedRecipe, tuple[int, Outcome]]":
        """What trains numbered recipes at once, and gives each when it has ended; `recipe` is one of them."""
        if self.work is None:
            compute_features(self.dataset, recipe, self.jobs)
            notify("the trials of a turn are trained by workers: each is told when it has ended")
            training = TrialJob(self.dataset, with_fixed_precision(recipe))
            self.work = self.stack.enter_context(self.jobs.workers(training))
        return self.work


def _trained(bench: "TrialRunner", trial: NumberedRecipe) -> "tuple[int, Outcome]":
    number, recipe = trial
    return number, bench.train(recipe, lambda _: None)
