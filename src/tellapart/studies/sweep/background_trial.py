"""BackgroundTrial: a trial trained in a thread, whose epochs may be read while it runs or afterwards."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event

from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.studies.sweep.sweep_folder import Weights
from tellapart.training.fitting.checkpoints import Epoch, History
from tellapart.training.fitting.examples import Array
from tellapart.training.fitting.fit import best_epoch, next_epoch, patience_ended
from tellapart.training.fitting.loop import Loop
from tellapart.training.tasks import Task

POLL_S = 0.5  # a wait without a timeout cannot be interrupted by Ctrl-C on every system


@dataclass(frozen=True)
class Outcome:
    """All epochs of a trial, the number of its best one, and the network's variables after that one."""

    history: History
    best_epoch: int
    weights: Weights


class _StoppedError(Exception):
    """The rest of a trial is not needed."""


class BackgroundTrial:
    """One trial. Lives while it is trained in one thread and read in another."""

    def __init__(self, loop: Loop, recipe: NetworkRecipe, task: Task) -> None:
        self._loop, self._recipe, self._task = loop, recipe, task
        self._rows: SimpleQueue[Epoch | None] = SimpleQueue()
        self._stopped = Event()
        self._result: Future[Outcome] = Future()

    def run(self, compiled: "Future[None]", start: list[Array]) -> None:
        """Wait until the loop is compiled, then train from the state `start` as `fit` does."""
        try:
            compiled.result()
            self._loop.recipe = self._recipe
            self._loop.restore(start)
            self._result.set_result(self._train())
        except BaseException as error:  # raised again by `outcome`
            self._result.set_exception(error)
        finally:
            self._rows.put(None)

    def epochs(self) -> Iterator[Epoch]:
        """Yield each epoch as soon as it has ended."""
        while (row := self._next_row()) is not None:
            yield row

    def outcome(self) -> Outcome:
        """Wait for the outcome, and return it. Raises what ended the trial."""
        return self._result.result()

    def stop(self) -> None:
        """End the trial after the steps that are running now."""
        self._stopped.set()

    def _next_row(self) -> Epoch | None:
        while True:
            try:
                return self._rows.get(timeout=POLL_S)
            except Empty:
                continue

    def _train(self) -> Outcome:
        loop, recipe, task = self._loop, self._recipe, self._task
        history: History = ()
        best, state = 0, loop.state()
        while len(history) < recipe.epochs and not patience_ended(history, recipe):
            history += (next_epoch(loop, history, recipe, task.train, task.validation, self._check_stopped),)
            best = len(history) if recipe.keep == "last" else best_epoch(history, recipe)
            state = loop.state() if best == len(history) else state
            self._rows.put(history[-1])
        loop.restore(state)
        loop.settle()
        return Outcome(history, best, [variable.numpy() for variable in loop.network.variables])

    def _check_stopped(self, _: int) -> None:
        if self._stopped.is_set():
            raise _StoppedError
