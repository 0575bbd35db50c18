"""Who trains the trials of a search: this process, or several at once on this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tellapart.backend import load_keras
from tellapart.data.dataset import Dataset
from tellapart.errors import RunError
from tellapart.jobs import cores, limit_threads
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.progress import notify
from tellapart.training.checkpoints import History

if TYPE_CHECKING:
    from tellapart.studies.search.trials import Trainer

EachEpoch = Callable[[], None]
MOST_RETRIES = 3  # of one trial whose worker was killed: more, and it is the trial that kills it


@dataclass(frozen=True)
class Step:
    """A piece of work: train a trial on, until it has had so many epochs in all."""

    number: int
    recipe: NetworkRecipe
    epochs: int


class TrialWorkers(Protocol):
    """Trains some trials, in any order."""

    def begin(self) -> None:
        """Load what training needs, and read the images, if that is not done yet."""

    def train(self, steps: Sequence[Step], each_epoch: EachEpoch) -> Iterator[tuple[Step, History]]:
        """Give each step back with its trial's epochs, as soon as it is done."""


@contextmanager
def local_workers(dataset: Dataset, recipe: NetworkRecipe, folder: Path, workers: int) -> Iterator[TrialWorkers]:
    """Workers for as long as the block lasts; they load nothing before there is work.

    `recipe` is one of those that will be asked for: its images are decoded once before several workers begin.
    """
    several = _Several(dataset, recipe, folder, workers) if workers > 1 else None
    try:
        yield several or _Alone(dataset, recipe, folder)
    finally:
        if several:
            several.end()


@dataclass
class _Alone:
    """This process. Lives for one search."""

    dataset: Dataset
    recipe: NetworkRecipe
    folder: Path
    trainer: "Trainer | None" = None

    def begin(self) -> None:
        self.trainer = trainer_of(self.dataset, self.folder)
        self.trainer.prepare(self.recipe)

    def train(self, steps: Sequence[Step], each_epoch: EachEpoch) -> Iterator[tuple[Step, History]]:
        for step in steps:
            self.trainer = self.trainer or trainer_of(self.dataset, self.folder)
            yield step, self.trainer.train(step, each_epoch)


def trainer_of(dataset: Dataset, folder: Path) -> "Trainer":
    """What trains in this process; Keras is loaded for it."""
    load_keras()
    from tellapart.studies.search.trials import Trainer

    return Trainer(dataset, folder)


@dataclass
class _Worker:
    """A process, and the line to it. Lives until it is killed."""

    process: BaseProcess
    line: "Connection[Any, Any]"
    step: Step | None = None


@dataclass
class _Several:
    """Processes of this machine, each with its share of the cores. Lives for one search."""

    dataset: Dataset
    recipe: NetworkRecipe
    folder: Path
    count: int
    workers: list[_Worker] = field(default_factory=list)

    def begin(self) -> None:
        self.workers += [self._started() for _ in range(self.count)]
        self.workers[0].line.send(self.recipe)  # one decodes, the others then find the images in the cache
        try:
            _answer(self.workers[0])
        except _WorkerKilledError as error:
            raise RunError("a worker was killed while it read the images: is there enough memory?") from error

    def train(self, steps: Sequence[Step], each_epoch: EachEpoch) -> Iterator[tuple[Step, History]]:
        todo, retries = list(steps), dict.fromkeys((step.number for step in steps), 0)
        if todo and not self.workers:
            self.begin()
        while todo or any(worker.step for worker in self.workers):
            for worker in self.workers:
                if worker.step is None and todo:
                    self._send(worker, todo.pop(0))
            for worker in self._heard():
                try:
                    answer = _answer(worker)
                except _WorkerKilledError:
                    self._replace(worker)
                    todo = [*_retried(worker.step, retries), *todo]
                    continue
                if answer is None:
                    each_epoch()
                elif worker.step:
                    step, worker.step = worker.step, None
                    yield step, answer

    def end(self) -> None:
        """Kill them all: what they have not handed over is trained again, from its last checkpoint."""
        for worker in self.workers:
            worker.process.kill()
            worker.process.join()
            worker.line.close()

    def _started(self) -> _Worker:
        spawn = multiprocessing.get_context("spawn")  # a forked TensorFlow hangs
        ours, theirs = spawn.Pipe()
        threads = max(1, cores() // self.count)
        work = (theirs, self.dataset, self.folder, threads)
        process = spawn.Process(target=_work, args=work, daemon=True)
        process.start()
        theirs.close()  # so that the line breaks when the process ends
        return _Worker(process, ours)

    def _send(self, worker: _Worker, step: Step) -> None:
        worker.step = step
        try:
            worker.line.send(step)
        except OSError:
            return  # it was killed while it waited: the next answer says so

    def _heard(self) -> list[_Worker]:
        lines = {worker.line: worker for worker in self.workers if worker.step}
        return [worker for line, worker in lines.items() if line in set(wait(lines))]

    def _replace(self, worker: _Worker) -> None:
        worker.process.join()
        worker.line.close()
        self.workers[self.workers.index(worker)] = self._started()


class _WorkerKilledError(Exception):
    """A worker ended without a word."""


def _answer(worker: _Worker) -> History | None:
    """What a worker says: a trial's epochs, or None when it has done one epoch. Raises what was raised in it."""
    try:
        answer: History | Exception | None = worker.line.recv()
    except (EOFError, OSError) as error:
        raise _WorkerKilledError from error
    if isinstance(answer, Exception):
        raise answer
    return answer


def _retried(step: Step | None, retries: dict[int, int]) -> list[Step]:
    if step is None:
        return []
    retries[step.number] += 1
    if retries[step.number] > MOST_RETRIES:
        raise RunError(
            f"the worker of trial {step.number} was killed {MOST_RETRIES + 1} times: is there enough memory? Try "
            f"fewer --workers"
        )
    notify(f"the worker of trial {step.number} was killed: another goes on with it")
    return [step]


def _work(line: "Connection[Any, Any]", dataset: Dataset, folder: Path, threads: int) -> None:
    """What a worker does: take a step, train it, say so. Ctrl-C is the first process's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_threads(threads)
    try:
        trainer = trainer_of(dataset, folder)
        while True:
            asked = line.recv()
            if isinstance(asked, NetworkRecipe):
                trainer.prepare(asked)
                line.send(None)
            else:
                line.send(trainer.train(asked, lambda: line.send(None)))
    except EOFError:
        return
    except Exception as error:
        line.send(error)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(1)
