"""One trial of a search, trained as far as it is told, and kept on the disk so that it can go on from there.

Here alone a search meets the training loop.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.splits import require_classes
from tellapart.files import cache_folder, remove_partials
from tellapart.recipe import Recipe
from tellapart.studies.crew import Step
from tellapart.training import checkpoints
from tellapart.training.checkpoints import History
from tellapart.training.common import preprocessing_for
from tellapart.training.fit import next_epoch
from tellapart.training.loop import Loop, repeatable
from tellapart.training.tasks import Task, make_task

KEEP_EVERY_S = 30.0  # between two checkpoints of a trial that has not come as far as it was told
KEPT_BYTES = 500_000_000  # of weights that compiled loops may hold while no trial uses them

# What changes nothing in the examples and the frozen base: trials that differ in these alone share both.
ABOVE_THE_BASE = (
    "inner", "units", "dropout", "neighbours", "trees", "loss", "class_weight", "label_smoothing", "optimizer",
    "learning_rate", "schedule", "ema", "batch_size", "epochs", "patience", "min_delta", "monitor", "keep", "seed",
    "mixed_precision",
)  # fmt: skip
# What a loop reads anew at every epoch: trials that differ in these alone share its compiled steps.
READ_ANEW = (
    "class_weight", "label_smoothing", "learning_rate", "schedule", "epochs", "patience", "min_delta", "monitor",
    "keep", "seed",
)  # fmt: skip
DEFAULTS = Recipe()


@dataclass(frozen=True)
class _Kept:
    """A compiled loop, and how much its weights and its optimizer hold."""

    loop: Loop
    bytes: int


class Trainer:
    """Trains trials one after the other. Lives for one search; holds the examples and the compiled loops."""

    def __init__(self, dataset: Dataset, folder: Path) -> None:
        self._dataset = dataset
        self._folder = folder
        self._tasks: dict[Recipe, Task] = {}
        self._loops: dict[Recipe, _Kept] = {}

    def prepare(self, recipe: Recipe) -> None:
        """Decode the pictures, and run the frozen base over them, where no cache has the result."""
        self._task(recipe)

    def train(self, step: Step, each_epoch: Callable[[], None]) -> History:
        """Go on from where the trial's newest checkpoint left it. Returns all its epochs."""
        place = self._folder / f"{step.number:04d}"
        place.mkdir(parents=True, exist_ok=True)
        remove_partials(place)
        saved = checkpoints.found(place)
        history = saved[-1].history if saved else ()
        if len(history) >= step.epochs:
            return history[: step.epochs]
        loop = self._loop(step.recipe, saved[-1].state() if saved else None)
        examples, validation = self._task(step.recipe).train, self._task(step.recipe).validation
        kept = time.monotonic()
        while len(history) < step.epochs:
            history += (next_epoch(loop, history, step.recipe, examples, validation, _nothing),)
            each_epoch()
            if len(history) == step.epochs or time.monotonic() - kept > KEEP_EVERY_S:
                checkpoints.write(place, history, step.recipe.monitor, loop.state())
                checkpoints.keep_only(place, {len(history)})
                kept = time.monotonic()
        return history

    def _loop(self, recipe: Recipe, state: list[NDArray[Any]] | None) -> Loop:
        """The loop of a trial in its state, or at its start: a compiled one, where there is one of the same shape."""
        shape = replace(recipe, **{name: getattr(DEFAULTS, name) for name in READ_ANEW})
        kept = self._loops.pop(shape, None)
        if kept is None or state is None:
            fresh = Loop(self._network(recipe), recipe)
            state = fresh.state() if state is None else state
            kept = kept or _Kept(fresh, sum(array.nbytes for array in state))
        self._loops[shape] = kept  # the one used last comes last
        self._forget()
        kept.loop.recipe = recipe
        kept.loop.restore(state)
        return kept.loop

    def _forget(self) -> None:
        while len(self._loops) > 1 and sum(kept.bytes for kept in self._loops.values()) > KEPT_BYTES:
            del self._loops[next(iter(self._loops))]

    def _task(self, recipe: Recipe) -> Task:
        key = replace(recipe, **{name: getattr(DEFAULTS, name) for name in ABOVE_THE_BASE})
        if key not in self._tasks:
            self._tasks[key] = self._made(recipe)
            require_classes(self._tasks[key].dataset)
        return self._tasks[key]

    def _made(self, recipe: Recipe) -> Task:
        return make_task(self._dataset, recipe, preprocessing_for(self._dataset, recipe), cache=cache_folder())

    def _network(self, recipe: Recipe) -> keras.Model:
        """A trial's own network, its weights drawn by its seed."""
        task = self._task(recipe)
        repeatable(recipe.seed)  # now, for making the task may have drawn
        return task.standing.network(recipe, task.preprocessing.channels, len(self._dataset.classes))


def _nothing(_: int) -> None:
    """Within an epoch nothing is shown."""
