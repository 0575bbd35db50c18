"""LoopCache: compiled training loops, used again by trials whose recipes compile to the same steps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

import keras

from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import require_classes
from tellapart.files import cache_folder
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.recipe import FACTS
from tellapart.training.fitting.loop import seed_everything
from tellapart.training.prepare import preprocessing_for
from tellapart.training.tasks import Task, make_task

MAX_LOOP_BYTES = 500_000_000  # of weights and optimizer variables
COMPILED_FIELDS = tuple(name for name, field_facts in FACTS.items() if field_facts.rebuilds != "nothing")
"""Recipes that agree in these fields share the compiled steps of a loop; it reads the others again every epoch."""
LoopKey = tuple[object, ...]


class CompiledLoop(Protocol):
    """A loop and what a study keeps with it."""

    @property
    def nbytes(self) -> int:
        """The memory of its weights and optimizer."""


L = TypeVar("L", bound=CompiledLoop)


class LoopCache(Generic[L]):
    """Compiled loops, each used by one trial at a time. Lives for one study.

    Beyond `MAX_LOOP_BYTES` in all, free loops are dropped, the least recently used first.
    """

    def __init__(self) -> None:
        self.free: dict[LoopKey, L] = {}
        self.used: dict[NetworkRecipe, L] = {}

    def take(self, recipe: NetworkRecipe, make: Callable[[], L]) -> L:
        """Return a free loop for a recipe, or make one. It is in use until `release`."""
        loop = self.free.pop(loop_key(recipe), None) or make()
        self.used[recipe] = loop
        self._drop(keep=0)
        return loop

    def release(self, recipe: NetworkRecipe) -> None:
        """Make the loop of a recipe free again."""
        self.add(recipe, self.used.pop(recipe))
        self._drop(keep=1)

    def add(self, recipe: NetworkRecipe, loop: L) -> None:
        """Add a free loop."""
        self.free[loop_key(recipe)] = loop

    def has(self, recipe: NetworkRecipe) -> bool:
        """Return whether there is a loop for a recipe, free or in use."""
        key = loop_key(recipe)
        return key in self.free or any(loop_key(other) == key for other in self.used)

    @property
    def nbytes(self) -> int:
        """The memory of all loops."""
        return sum(loop.nbytes for loop in (*self.free.values(), *self.used.values()))

    def has_room(self, share: float) -> bool:
        """Return whether the loops take less than a share of `MAX_LOOP_BYTES`."""
        return self.nbytes < share * MAX_LOOP_BYTES

    def _drop(self, *, keep: int) -> None:
        while len(self.free) > keep and self.nbytes > MAX_LOOP_BYTES:
            del self.free[next(iter(self.free))]


def loop_key(recipe: NetworkRecipe) -> LoopKey:
    """Return the values that decide a compiled loop."""
    return tuple(getattr(recipe, name) for name in COMPILED_FIELDS)


def ignore_step(_: int) -> None:
    """Report nothing within an epoch."""


EXAMPLE_FIELDS = tuple(name for name, field_facts in FACTS.items() if field_facts.rebuilds == "examples")
"""Recipes that agree in these fields share their examples and the frozen backbone."""


class BackboneCache:
    """Examples and backbones, built once for all recipes that share them. Lives for one study."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._tasks: dict[tuple[object, ...], Task] = {}

    def has(self, recipe: NetworkRecipe) -> bool:
        """Return whether the backbone and the examples of a recipe are ready."""
        return _key(recipe) in self._tasks

    def task(self, recipe: NetworkRecipe) -> Task:
        """Return the backbone and the examples of a recipe, with an arbitrary network. Raises DatasetError."""
        key = _key(recipe)
        if key not in self._tasks:
            preprocessing = preprocessing_for(self._dataset, recipe)
            self._tasks[key] = make_task(self._dataset, recipe, preprocessing, cache=cache_folder())
            require_classes(self._tasks[key].dataset)
        return replace(self._tasks[key], recipe=recipe)

    def network(self, recipe: NetworkRecipe) -> keras.Model:
        """Build a network, its weights drawn by the seed as in `train`."""
        task = self.task(recipe)
        seed_everything(recipe.seed)  # after `task`, which may draw random numbers too
        return task.backbone.new_network(recipe, task.preprocessing.channels, len(task.dataset.classes))


def _key(recipe: NetworkRecipe) -> tuple[object, ...]:
    return tuple(getattr(recipe, name) for name in EXAMPLE_FIELDS)
