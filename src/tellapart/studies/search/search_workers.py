"""Workers that train the trials of a search: each job trains one trial further and returns its epochs.

Checkpoints are in the search's folder, which all workers see; everything else there is written by the first process.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.backend import load_keras
from tellapart.data.dataset import Dataset
from tellapart.jobs import Jobs, LocalJobs, Work
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.progress import notify
from tellapart.studies.workers import cache_warmup_lock, compute_features, with_fixed_precision
from tellapart.training.fitting.checkpoints import History

if TYPE_CHECKING:
    from tellapart.studies.search.trainer import Trainer


EachEpoch = Callable[[], None]


@dataclass(frozen=True)
class Step:
    """A piece of work: train a trial until it has had `epochs` epochs in all."""

    number: int
    recipe: NetworkRecipe
    epochs: int


@dataclass(frozen=True)
class StepResult:
    """All epochs of a trial; `unreported` of them were trained in this step and are yet to be shown."""

    number: int
    history: History
    unreported: int


@dataclass(frozen=True)
class StepJob:
    """The job. An item is a step, or None to wait until the worker has read the images."""

    dataset: Dataset
    recipe: NetworkRecipe
    """One of those that will be trained: its images are decoded before the first step."""
    folder: Path
    """Checkpoints, a folder for each trial."""
    each_epoch: EachEpoch | None = None
    """Called after each epoch where the job runs in this process."""

    def __call__(self) -> Callable[[Step | None], StepResult | None]:
        """Load what training needs and read the images, once for each worker."""
        load_keras()
        from tellapart.studies.search.trainer import Trainer

        trainer = Trainer(self.dataset, self.folder)
        with cache_warmup_lock(self.dataset):
            trainer.prepare(self.recipe)
        return partial(_train_step, trainer, self.each_epoch)


@dataclass
class TrialWorkers:
    """Trains the steps of a search, in this process or by `jobs`. Lives until `stack` is closed."""

    dataset: Dataset
    recipe: NetworkRecipe
    folder: Path
    jobs: Jobs | None
    stack: ExitStack
    work: Work[Step | None, StepResult | None] | None = None
    each_epoch: EachEpoch | None = None

    def start(self) -> Work[Step | None, StepResult | None]:
        """Start the workers, unless they run already, and wait until one of them has read the images."""
        if self.work is None:
            recipe = with_fixed_precision(self.recipe)
            if self.jobs is None:
                training = StepJob(self.dataset, recipe, self.folder, self._report)
            else:
                compute_features(self.dataset, recipe, self.jobs)
                notify("workers train the trials: the epochs of a trial are counted when its step has ended")
                training = StepJob(self.dataset, recipe, self.folder.resolve())
            self.work = self.stack.enter_context((self.jobs or LocalJobs()).workers(training))
            list(self.work([None]))
        return self.work

    def train(self, steps: Sequence[Step], each_epoch: EachEpoch) -> Iterator[tuple[Step, History]]:
        """Yield each step with its trial's epochs as soon as it has ended, in any order."""
        if not steps:
            return
        self.each_epoch = each_epoch
        by_number = {step.number: step for step in steps}
        for result in self.start()(replace(step, recipe=with_fixed_precision(step.recipe)) for step in steps):
            if result:
                for _ in range(result.unreported):
                    each_epoch()
                yield by_number[result.number], result.history

    def _report(self) -> None:
        if self.each_epoch:
            self.each_epoch()


def _train_step(trainer: "Trainer", each_epoch: EachEpoch | None, step: Step | None) -> StepResult | None:
    if step is None:
        return None
    unreported: list[None] = []
    history = trainer.train(step.number, step.recipe, step.epochs, each_epoch or partial(unreported.append, None))
    return StepResult(step.number, history, len(unreported))
