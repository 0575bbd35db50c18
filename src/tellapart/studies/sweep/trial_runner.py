"""The trials of a sweep: one at a time is asked for, the next is trained beside it where there is room.

A trial ends as `train` does with its recipe: the same history, the same weights. What trials share is made once. Here
and in the courses alone a sweep meets the training loop.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import keras

from tellapart.data.dataset import Dataset
from tellapart.jobs import cores
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.studies.backbone_cache import MAX_LOOP_BYTES, BackboneCache, Key, loop_key
from tellapart.studies.sweep.background_trial import BackgroundTrial, Outcome
from tellapart.studies.sweep.folder import Weights
from tellapart.training.checkpoints import Epoch
from tellapart.training.examples import Array, Examples
from tellapart.training.loop import Loop
from tellapart.training.tasks import Task

MAX_COMPILED_AHEAD = 4  # loops that are compiled ahead
MAX_RUNNING = 2  # trials: the one that is asked for, and the next


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


class TrialRunner:
    """Where trials are trained. Lives for one sweep; holds what they stand on, their examples and compiled loops."""

    def __init__(self, dataset: Dataset) -> None:
        self._standings = BackboneCache(dataset)
        self._loops: dict[Key, _Kept] = {}
        """Those that no trial uses now."""
        self._courses: dict[NetworkRecipe, BackgroundTrial] = {}
        self._used: dict[NetworkRecipe, _Kept] = {}
        self._compiler = ThreadPoolExecutor(1)
        self._trainers = ThreadPoolExecutor(MAX_RUNNING)

    def close(self) -> None:
        """Stop what is being trained, and wait for what is being compiled."""
        for course in self._courses.values():
            course.stop()
        self._compiler.shutdown(cancel_futures=True)
        self._trainers.shutdown(cancel_futures=True)

    def stands(self, recipe: NetworkRecipe) -> bool:
        """Whether what a recipe's network stands on is there, and its examples."""
        return self._standings.has(recipe)

    def task(self, recipe: NetworkRecipe) -> Task:
        """What a recipe's network stands on, and its examples: made once. Raises DatasetError."""
        return self._standings.task(recipe)

    def train(
        self,
        recipe: NetworkRecipe,
        each_epoch: Callable[[Epoch], None],
        *,
        following: Sequence[NetworkRecipe] = (),
        ahead: NetworkRecipe | None = None,
    ) -> Outcome:
        """Train until the epochs or the patience end, as `fit` does.

        Meanwhile what the `following` trials need is compiled, where no image must be read for that, and `ahead`,
        which will be asked for next in any case, is trained where memory and cores allow.
        """
        course = self._courses.get(recipe) or self._begun(recipe)
        if ahead is not None and self._has_room_for(ahead):
            self._begun(ahead)
        self._foresee(following)
        for row in course.epochs():
            each_epoch(row)
        outcome = course.outcome()
        self._ended(recipe)
        return outcome

    def network(self, recipe: NetworkRecipe, weights: Weights) -> keras.Model:
        """The network of a trial with what it has learned."""
        network = self._standings.network(recipe)
        for variable, value in zip(network.variables, weights, strict=True):
            variable.assign(value)
        return network

    def _begun(self, recipe: NetworkRecipe) -> BackgroundTrial:
        """Let a trial begin in a thread; its network is drawn before, here, for a draw sets the seed of everything."""
        kept = self._free_loop(recipe)
        self._forget(but=0)
        course = BackgroundTrial(kept.loop, recipe, self.task(recipe))
        self._used[recipe], self._courses[recipe] = kept, course
        self._trainers.submit(course.run, kept.compiled, kept.start)
        return course

    def _ended(self, recipe: NetworkRecipe) -> None:
        """Keep a trial's loop for the next of its shape."""
        del self._courses[recipe]
        self._loops[loop_key(recipe)] = self._used.pop(recipe)  # the one used last comes last
        self._forget(but=1)

    def _forget(self, *, but: int) -> None:
        """Drop loops that no trial uses, those used longest ago first, until memory is kept to."""
        while len(self._loops) > but and self._bytes > MAX_LOOP_BYTES:
            del self._loops[next(iter(self._loops))]

    def _free_loop(self, recipe: NetworkRecipe) -> _Kept:
        """A compiled loop for a trial."""
        kept = self._loops.pop(loop_key(recipe), None)
        return kept or self._submitted(recipe, Loop(self._standings.network(recipe), recipe))

    def _has_room_for(self, recipe: NetworkRecipe) -> bool:
        """Whether a trial may run beside another: a small one, of vectors, whose steps leave a core free."""
        if not self.stands(recipe) or recipe in self._courses or len(self._courses) >= min(MAX_RUNNING, cores()):
            return False
        of_vectors = all(len(self.task(one).network.input_shape) == 2 for one in (recipe, *self._courses))
        return of_vectors and self._bytes < MAX_LOOP_BYTES / 2

    def _foresee(self, recipes: Sequence[NetworkRecipe]) -> None:
        """Begin to compile loops for later trials; all are drawn first, for a draw sets the seed of all TensorFlow."""
        if not all(kept.compiled.done() for kept in self._loops.values()):
            return
        drawn: dict[Key, tuple[NetworkRecipe, Loop]] = {}
        busy = {loop_key(recipe) for recipe in self._used}
        for recipe in recipes:
            known = loop_key(recipe) in {*self._loops, *drawn, *busy}
            if (
                not known
                and self.stands(recipe)
                and len(drawn) < MAX_COMPILED_AHEAD
                and self._bytes < MAX_LOOP_BYTES / 4
            ):
                drawn[loop_key(recipe)] = recipe, Loop(self._standings.network(recipe), recipe)
        for shape, (recipe, loop) in drawn.items():
            self._loops[shape] = self._submitted(recipe, loop)

    def _submitted(self, recipe: NetworkRecipe, loop: Loop) -> _Kept:
        return _Kept(loop, loop.state(), self._compiler.submit(_compile, loop, self.task(recipe)))

    @property
    def _bytes(self) -> int:
        return sum(kept.bytes for kept in (*self._loops.values(), *self._used.values()))


def _compile(loop: Loop, task: Task) -> None:
    """Let a loop trace its steps, on a few examples; it undoes what it learns of them."""
    loop.epoch_seconds(_first(task.train, loop.batch))
    if task.validation is not None:
        loop.score(_first(task.validation, 1))


def _first(examples: Examples, count: int) -> Examples:
    return Examples(examples.inputs[:count], examples.labels[:count])
