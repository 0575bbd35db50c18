"""TrialRunner: trains the trials of a sweep in this process, the next one in the background where there is room.

A trial ends as `train` does with its recipe: the same history, the same weights. Backbones, examples and compiled
loops are shared. With `background_trial` the only module of a sweep that uses the training loop.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import keras

from tellapart.data.dataset import Dataset
from tellapart.jobs import cores
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.studies.backbone_cache import BackboneCache
from tellapart.studies.loop_cache import LoopCache, LoopKey, loop_key
from tellapart.studies.sweep.background_trial import BackgroundTrial, Outcome
from tellapart.studies.sweep.sweep_folder import Weights
from tellapart.training.fitting.checkpoints import Epoch
from tellapart.training.fitting.examples import Array, Examples
from tellapart.training.fitting.loop import Loop
from tellapart.training.tasks import Task

MAX_COMPILED_AHEAD = 4  # loops
MAX_RUNNING = 2  # trials: the one that is asked for, and the next


@dataclass(frozen=True)
class _CompiledLoop:
    """A loop, the state in which all its trials begin, and a future that is done when it is compiled."""

    loop: Loop
    start: list[Array]
    compiled: "Future[None]"

    @property
    def nbytes(self) -> int:
        """The memory of its weights and optimizer, twice: as they are, and as they began."""
        return 2 * sum(array.nbytes for array in self.start)


class TrialRunner:
    """Trains trials. Lives for one sweep, and keeps their backbones, examples and compiled loops."""

    def __init__(self, dataset: Dataset) -> None:
        self._backbones = BackboneCache(dataset)
        self._loops: LoopCache[_CompiledLoop] = LoopCache()
        self._running: dict[NetworkRecipe, BackgroundTrial] = {}
        self._compiler = ThreadPoolExecutor(1)
        self._trainers = ThreadPoolExecutor(MAX_RUNNING)

    def close(self) -> None:
        """Stop the trials that run, and wait for what is being compiled."""
        for trial in self._running.values():
            trial.stop()
        self._compiler.shutdown(cancel_futures=True)
        self._trainers.shutdown(cancel_futures=True)

    def is_prepared(self, recipe: NetworkRecipe) -> bool:
        """Return whether the backbone and the examples of a recipe are ready."""
        return self._backbones.has(recipe)

    def task(self, recipe: NetworkRecipe) -> Task:
        """Return the backbone and the examples of a recipe, built once. Raises DatasetError."""
        return self._backbones.task(recipe)

    def train(
        self,
        recipe: NetworkRecipe,
        each_epoch: Callable[[Epoch], None],
        *,
        following: Sequence[NetworkRecipe] = (),
        ahead: NetworkRecipe | None = None,
    ) -> Outcome:
        """Train until the epochs or the patience end, as in `fit`.

        Meanwhile the loops of the `following` trials are compiled, unless images must be read first, and `ahead`, the
        trial that is certain to be next, is trained where memory and cores allow.
        """
        trial = self._running.get(recipe) or self._start(recipe)
        if ahead is not None and self._has_room_for(ahead):
            self._start(ahead)
        self._compile_ahead(following)
        for row in trial.epochs():
            each_epoch(row)
        outcome = trial.outcome()
        del self._running[recipe]
        self._loops.release(recipe)
        return outcome

    def network(self, recipe: NetworkRecipe, weights: Weights) -> keras.Model:
        """Build the network of a trial with its trained weights."""
        network = self._backbones.network(recipe)
        for variable, value in zip(network.variables, weights, strict=True):
            variable.assign(value)
        return network

    def _start(self, recipe: NetworkRecipe) -> BackgroundTrial:
        """Start a trial in a thread. Its network is drawn before, in this thread: drawing sets TensorFlow's seed."""
        compiled = self._loops.take(
            recipe, lambda: self._compile(recipe, Loop(self._backbones.network(recipe), recipe))
        )
        trial = self._running[recipe] = BackgroundTrial(compiled.loop, recipe, self.task(recipe))
        self._trainers.submit(trial.run, compiled.compiled, compiled.start)
        return trial

    def _has_room_for(self, recipe: NetworkRecipe) -> bool:
        """Return whether a trial may run beside another: only small ones, on vectors, leave a core free."""
        if not self.is_prepared(recipe) or recipe in self._running or len(self._running) >= min(MAX_RUNNING, cores()):
            return False
        on_vectors = all(len(self.task(other).network.input_shape) == 2 for other in (recipe, *self._running))
        return on_vectors and self._loops.has_room(1 / 2)

    def _compile_ahead(self, recipes: Sequence[NetworkRecipe]) -> None:
        """Compile loops for later trials in a thread. All are drawn first: drawing sets TensorFlow's seed."""
        if not all(compiled.compiled.done() for compiled in self._loops.free.values()):
            return
        drawn: dict[LoopKey, tuple[NetworkRecipe, Loop]] = {}
        for recipe in recipes:
            is_new = loop_key(recipe) not in drawn and not self._loops.has(recipe) and self.is_prepared(recipe)
            if is_new and len(drawn) < MAX_COMPILED_AHEAD and self._loops.has_room(1 / 4):
                drawn[loop_key(recipe)] = recipe, Loop(self._backbones.network(recipe), recipe)
        for recipe, loop in drawn.values():
            self._loops.add(recipe, self._compile(recipe, loop))

    def _compile(self, recipe: NetworkRecipe, loop: Loop) -> _CompiledLoop:
        return _CompiledLoop(loop, loop.state(), self._compiler.submit(_trace, loop, self.task(recipe)))


def _trace(loop: Loop, task: Task) -> None:
    """Let a loop trace its steps on a few examples; it undoes what it learns from them."""
    loop.epoch_seconds(_first(task.train, loop.batch))
    if task.validation is not None:
        loop.score(_first(task.validation, 1))


def _first(examples: Examples, count: int) -> Examples:
    return Examples(examples.inputs[:count], examples.labels[:count])
