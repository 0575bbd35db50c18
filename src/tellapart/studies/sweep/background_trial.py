"""A trial on its way in a thread, told epoch by epoch to who asks for it, whenever that is."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event

from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.studies.sweep.folder import Weights
from tellapart.training.checkpoints import Epoch, History
from tellapart.training.examples import Array
from tellapart.training.fit import best_epoch, next_epoch, patience_ended
from tellapart.training.loop import Loop
from tellapart.training.tasks import Task

POLL_S = 0.5  # Ctrl-C ends no wait without an end on every system


@dataclass(frozen=True)
class Outcome:
    """All epochs of a trial, the number of the one it counts as, and the network's variables after that one."""

    history: History
    best_epoch: int
    weights: Weights


class _StoppedError(Exception):
    """Nobody wants the rest of a trial."""


class BackgroundTrial:
    """One trial. Lives while it is trained in one thread and asked for in another."""

    def __init__(self, loop: Loop, recipe: NetworkRecipe, task: Task) -> None:
        self._loop, self._recipe, self._task = loop, recipe, task
        self._rows: SimpleQueue[Epoch | None] = SimpleQueue()
        self._stopped = Event()
        self._result: Future[Outcome] = Future()

    def run(self, compiled: "Future[None]", start: list[Array]) -> None:
        """Train from that start, when the loop is compiled, until the epochs or the patience end, as `fit` does."""
        try:
            compiled.result()
            self._loop.recipe = self._recipe
            self._loop.restore(start)
            self._result.set_result(self._trained())
        except BaseException as error:  # whatever it is belongs to who asks for the outcome
            self._result.set_exception(error)
        finally:
            self._rows.put(None)

    def epochs(self) -> Iterator[Epoch]:
        """Each epoch: at once where it is over, else as it ends."""
        while (row := self._next()) is not None:
            yield row

    def outcome(self) -> Outcome:
        """What it came to, after its epochs. Raises what ended it."""
        return self._result.result()

    def stop(self) -> None:
        """End it after the steps that are in the graph now."""
        self._stopped.set()

    def _next(self) -> Epoch | None:
        while True:
            try:
                return self._rows.get(timeout=POLL_S)
            except Empty:
                continue

    def _trained(self) -> Outcome:
        loop, recipe, task = self._loop, self._recipe, self._task
        history: History = ()
        best, state = 0, loop.state()
        while len(history) < recipe.epochs and not patience_ended(history, recipe):
            history += (next_epoch(loop, history, recipe, task.train, task.validation, self._go_on),)
            best = len(history) if recipe.keep == "last" else best_epoch(history, recipe)
            state = loop.state() if best == len(history) else state
            self._rows.put(history[-1])
        loop.restore(state)
        loop.settle()
        return Outcome(history, best, [variable.numpy() for variable in loop.network.variables])

    def _go_on(self, _: int) -> None:
        """Within an epoch nothing is shown."""
        if self._stopped.is_set():
            raise _StoppedError
