"""One trial of a search, trained as far as it is told, and kept on the disk so that it can go on from there.

Here alone a search meets the training loop.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.errors import StorageError
from tellapart.files import remove_partials
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.studies.backbone_cache import MAX_LOOP_BYTES, BackboneCache, Key, ignore_step, loop_key
from tellapart.training import checkpoints
from tellapart.training.checkpoints import History
from tellapart.training.fit import next_epoch
from tellapart.training.loop import Loop

CHECKPOINT_EVERY_S = 30.0  # between two checkpoints of a trial that has not come as far as it was told


@dataclass(frozen=True)
class _Kept:
    """A compiled loop, and how much its weights and its optimizer hold."""

    loop: Loop
    bytes: int


class Trainer:
    """Trains trials one after the other. Lives for one search; holds the examples and the compiled loops."""

    def __init__(self, dataset: Dataset, folder: Path) -> None:
        self._standings = BackboneCache(dataset)
        self._folder = folder
        self._loops: dict[Key, _Kept] = {}

    def prepare(self, recipe: NetworkRecipe) -> None:
        """Decode the images, and run the frozen base over them, where no cache has the result."""
        self._standings.task(recipe)

    def train(self, number: int, recipe: NetworkRecipe, epochs: int, each_epoch: Callable[[], None]) -> History:
        """Resume a trial from its newest checkpoint until it has had `epochs` epochs in all; return them."""
        place = self._folder / f"{number:04d}"
        place.mkdir(parents=True, exist_ok=True)
        remove_partials(place)
        saved = checkpoints.found(place)
        history = saved[-1].history if saved else ()
        if len(history) >= epochs:
            checkpoints.keep_only(place, {len(history)})  # a kill may have come just before
            return history[:epochs]
        loop = self._loop(recipe, saved[-1].state() if saved else None)
        task = self._standings.task(recipe)
        kept = time.monotonic()
        while len(history) < epochs:
            history += (next_epoch(loop, history, recipe, task.train, task.validation, ignore_step),)
            each_epoch()
            if len(history) == epochs or time.monotonic() - kept > CHECKPOINT_EVERY_S:
                _keep(place, history, recipe, loop)
                kept = time.monotonic()
        return history

    def _loop(self, recipe: NetworkRecipe, state: list[NDArray[Any]] | None) -> Loop:
        """The loop of a trial in its state, or at its start: a compiled one, where there is one of the same shape."""
        shape = loop_key(recipe)
        kept = self._loops.pop(shape, None)
        if kept is None or state is None:
            fresh = Loop(self._standings.network(recipe), recipe)
            state = fresh.state() if state is None else state
            kept = kept or _Kept(fresh, sum(array.nbytes for array in state))
        self._loops[shape] = kept  # the one used last comes last
        self._forget()
        kept.loop.recipe = recipe
        kept.loop.restore(state)
        return kept.loop

    def _forget(self) -> None:
        while len(self._loops) > 1 and sum(kept.bytes for kept in self._loops.values()) > MAX_LOOP_BYTES:
            del self._loops[next(iter(self._loops))]


def _keep(place: Path, history: History, recipe: NetworkRecipe, loop: Loop) -> None:
    """Store the state after the newest epoch, and no other."""
    try:
        checkpoints.write(place, history, recipe.monitor, loop.state())
    except StorageError:  # a worker that was given up for dead may have stored the same
        if all(one.epoch != len(history) for one in checkpoints.found(place)):
            raise
    checkpoints.keep_only(place, {len(history)})
