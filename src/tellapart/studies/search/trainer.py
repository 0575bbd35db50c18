"""Trainer: trains one trial of a search at a time, with checkpoints on the disk from which it resumes.

The only module of a search that uses the training loop.
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
from tellapart.studies.backbone_cache import BackboneCache
from tellapart.studies.loop_cache import LoopCache, ignore_step
from tellapart.training.fitting import checkpoints
from tellapart.training.fitting.checkpoints import History
from tellapart.training.fitting.fit import next_epoch
from tellapart.training.fitting.loop import Loop

CHECKPOINT_EVERY_S = 30.0  # while a step has not ended; there is always one at its end


@dataclass(frozen=True)
class _CompiledLoop:
    """A compiled loop, and the memory of its weights and optimizer."""

    loop: Loop
    nbytes: int


class Trainer:
    """Trains trials one after the other. Lives for one search, and keeps the examples and the compiled loops."""

    def __init__(self, dataset: Dataset, folder: Path) -> None:
        self._backbones = BackboneCache(dataset)
        self._folder = folder
        self._loops: LoopCache[_CompiledLoop] = LoopCache()

    def prepare(self, recipe: NetworkRecipe) -> None:
        """Decode the images and run the frozen backbone over them, unless the cache has the result."""
        self._backbones.task(recipe)

    def train(self, number: int, recipe: NetworkRecipe, epochs: int, each_epoch: Callable[[], None]) -> History:
        """Resume a trial from its newest checkpoint until it has had `epochs` epochs in all; return them."""
        folder = self._folder / f"{number:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        remove_partials(folder)
        saved = checkpoints.found(folder)
        history = saved[-1].history if saved else ()
        if len(history) >= epochs:
            checkpoints.keep_only(folder, {len(history)})  # a kill may have come just before
            return history[:epochs]
        loop = self._take_loop(recipe, saved[-1].state() if saved else None)
        task = self._backbones.task(recipe)
        written = time.monotonic()
        while len(history) < epochs:
            history += (next_epoch(loop, history, recipe, task.train, task.validation, ignore_step),)
            each_epoch()
            if len(history) == epochs or time.monotonic() - written > CHECKPOINT_EVERY_S:
                _write_checkpoint(folder, history, loop)
                written = time.monotonic()
        self._loops.release(recipe)
        return history

    def _take_loop(self, recipe: NetworkRecipe, state: list[NDArray[Any]] | None) -> Loop:
        """Return a loop in the given state, or in the initial state of the recipe; compiled already if possible."""
        fresh = None
        if state is None:
            fresh = Loop(self._backbones.network(recipe), recipe)
            state = fresh.state()
        nbytes = sum(array.nbytes for array in state)
        compiled = self._loops.take(
            recipe, lambda: _CompiledLoop(fresh or Loop(self._backbones.network(recipe), recipe), nbytes)
        )
        compiled.loop.recipe = recipe
        compiled.loop.restore(state)
        return compiled.loop


def _write_checkpoint(folder: Path, history: History, loop: Loop) -> None:
    """Store the state after the newest epoch, and remove older ones."""
    try:
        checkpoints.write(folder, history, loop.state())
    except StorageError:  # a worker that was given up for dead may have stored the same
        if all(checkpoint.epoch != len(history) for checkpoint in checkpoints.found(folder)):
            raise
    checkpoints.keep_only(folder, {len(history)})
