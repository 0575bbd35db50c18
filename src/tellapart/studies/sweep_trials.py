"""The trials of a sweep, trained one after the other. Here alone a sweep meets the training loop.

A trial ends as `train` does with its recipe: the same history, the same weights. What trials share is made once.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import keras

from tellapart.data.dataset import Dataset
from tellapart.recipe import Recipe
from tellapart.studies.standings import KEPT_BYTES, Standings, quietly, shape_of
from tellapart.studies.sweep_folder import Weights
from tellapart.training.checkpoints import Epoch, History
from tellapart.training.examples import Array, Examples
from tellapart.training.fit import best_epoch, next_epoch, patience_ended
from tellapart.training.loop import Loop
from tellapart.training.tasks import Task

MOST_FORESEEN = 4  # loops that are compiled ahead


@dataclass(frozen=True)
class Outcome:
    """All epochs of a trial, the number of the one it counts as, and the network's variables after that one."""

    history: History
    best_epoch: int
    weights: Weights


@dataclass(frozen=True)
class _Kept:
    """A compiled loop, the state in which every trial of its shape begins, and when the compiler is done with it."""

    loop: Loop
    start: list[Array]
    compiled: "Future[None]"

    @property
    def bytes(self) -> int:
        """What its weights and its optimizer hold, twice: as they are, and as they began."""
        return 2 * sum(array.nbytes for array in self.start)


class Bench:
    """Where trials are trained. Lives for one sweep; holds what they stand on, their examples and compiled loops."""

    def __init__(self, dataset: Dataset) -> None:
        self._standings = Standings(dataset)
        self._loops: dict[Recipe, _Kept] = {}
        self._compiler = ThreadPoolExecutor(1)

    def close(self) -> None:
        """Wait for what is being compiled."""
        self._compiler.shutdown(cancel_futures=True)

    def stands(self, recipe: Recipe) -> bool:
        """Whether what a recipe's network stands on is there, and its examples."""
        return self._standings.has(recipe)

    def task(self, recipe: Recipe) -> Task:
        """What a recipe's network stands on, and its examples: made once. Raises DatasetError."""
        return self._standings.task(recipe)

    def train(
        self, recipe: Recipe, each_epoch: Callable[[Epoch], None], *, following: Sequence[Recipe] = ()
    ) -> Outcome:
        """Train until the epochs or the patience end, as `fit` does.

        Meanwhile what the `following` trials need is compiled, where no picture must be read for that.
        """
        task, loop = self.task(recipe), self._loop(recipe)
        self._foresee(following)
        history: History = ()
        best, state = 0, loop.state()
        while len(history) < int(recipe.epochs or 1) and not patience_ended(history, recipe):
            history += (next_epoch(loop, history, recipe, task.train, task.validation, quietly),)
            best = len(history) if recipe.keep == "last" else best_epoch(history, recipe)
            state = loop.state() if best == len(history) else state
            each_epoch(history[-1])
        loop.restore(state)
        loop.settle()
        return Outcome(history, best, [variable.numpy() for variable in loop.network.variables])

    def network(self, recipe: Recipe, weights: Weights) -> keras.Model:
        """The network of a trial with what it has learned."""
        network = self._standings.network(recipe)
        for variable, value in zip(network.variables, weights, strict=True):
            variable.assign(value)
        return network

    def _loop(self, recipe: Recipe) -> Loop:
        """The compiled loop of a trial, at its start."""
        shape = shape_of(recipe)
        kept = self._loops.pop(shape, None) or self._submitted(recipe, Loop(self._standings.network(recipe), recipe))
        self._loops[shape] = kept  # the one used last comes last
        while len(self._loops) > 1 and self._bytes > KEPT_BYTES:
            del self._loops[next(iter(self._loops))]
        kept.compiled.result()
        kept.loop.recipe = recipe
        kept.loop.restore(kept.start)
        return kept.loop

    def _foresee(self, recipes: Sequence[Recipe]) -> None:
        """Begin to compile loops for later trials; all are drawn first, for a draw sets the seed of all TensorFlow."""
        if not all(kept.compiled.done() for kept in self._loops.values()):
            return
        drawn: dict[Recipe, tuple[Recipe, Loop]] = {}
        for recipe in recipes:
            known = shape_of(recipe) in self._loops or shape_of(recipe) in drawn
            if not known and self.stands(recipe) and len(drawn) < MOST_FORESEEN and self._bytes < KEPT_BYTES / 4:
                drawn[shape_of(recipe)] = recipe, Loop(self._standings.network(recipe), recipe)
        for shape, (recipe, loop) in drawn.items():
            self._loops[shape] = self._submitted(recipe, loop)

    def _submitted(self, recipe: Recipe, loop: Loop) -> _Kept:
        return _Kept(loop, loop.state(), self._compiler.submit(_compile, loop, self.task(recipe)))

    @property
    def _bytes(self) -> int:
        return sum(kept.bytes for kept in self._loops.values())


def _compile(loop: Loop, task: Task) -> None:
    """Let a loop trace its steps, on a few examples; it undoes what it learns of them."""
    loop.epoch_seconds(_first(task.train, loop.batch))
    if task.validation is not None:
        loop.score(_first(task.validation, 1))


def _first(examples: Examples, count: int) -> Examples:
    return Examples(examples.inputs[:count], examples.labels[:count])
