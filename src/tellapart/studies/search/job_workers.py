"""The trials of a search by whoever does jobs: a job trains one trial on, and gives back its epochs.

Its checkpoints are in the search's folder, which all workers see; all else there is written by the first process.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.data.dataset import Dataset
from tellapart.jobs import Jobs, Work
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.progress import notify
from tellapart.studies.search.local_workers import EachEpoch, Step, TrialWorkers, trainer_of
from tellapart.studies.workers import cache_warmup_lock, compute_features, with_fixed_precision
from tellapart.training.checkpoints import History

if TYPE_CHECKING:
    from tellapart.studies.search.trials import Trainer


@dataclass(frozen=True)
class Done:
    """A trial's epochs, and how many of them were trained in this job."""

    number: int
    history: History
    trained: int


@dataclass(frozen=True)
class Training:
    """The job: images, one of the recipes that will be asked for, and the folder of checkpoints.

    An item is a step, or None to ask whether a worker is ready.
    """

    dataset: Dataset
    recipe: NetworkRecipe
    folder: Path

    def __call__(self) -> Callable[[Step | None], Done | None]:
        """Load what training needs and read the images, once for each worker."""
        trainer = trainer_of(self.dataset, self.folder)
        with cache_warmup_lock(self.dataset):
            trainer.prepare(self.recipe)
        return partial(_done, trainer)


@contextmanager
def job_workers(jobs: Jobs, dataset: Dataset, recipe: NetworkRecipe, folder: Path) -> Iterator[TrialWorkers]:
    """Workers for as long as the block lasts; none is asked for before there is work."""
    with ExitStack() as stack:
        yield _Hired(jobs, Training(dataset, with_fixed_precision(recipe), folder.resolve()), stack)


@dataclass
class _Hired:
    """Whoever does jobs. Lives for one search."""

    jobs: Jobs
    training: Training
    stack: ExitStack
    work: Work[Step | None, Done | None] | None = None

    def begin(self) -> None:
        self._ready()

    def train(self, steps: Sequence[Step], each_epoch: EachEpoch) -> Iterator[tuple[Step, History]]:
        if not steps:
            return
        asked = {step.number: step for step in steps}
        for done in self._ready()(replace(step, recipe=with_fixed_precision(step.recipe)) for step in steps):
            if done:
                for _ in range(done.trained):
                    each_epoch()
                yield asked[done.number], done.history

    def _ready(self) -> Work[Step | None, Done | None]:
        """The workers, of which one at least has read the images."""
        if self.work is None:
            compute_features(self.training.dataset, self.training.recipe, self.jobs)
            notify("the trials are trained by workers: epochs are counted when a trial has come as far as it was told")
            self.work = self.stack.enter_context(self.jobs.workers(self.training))
            list(self.work([None]))
        return self.work


def _done(trainer: "Trainer", step: Step | None) -> Done | None:
    if step is None:
        return None
    trained: list[None] = []
    history = trainer.train(step, lambda: trained.append(None))
    return Done(step.number, history, len(trained))
