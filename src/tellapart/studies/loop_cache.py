"""LoopCache: compiled training loops, used again by trials whose recipes compile to the same steps."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.recipe import FACTS

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
