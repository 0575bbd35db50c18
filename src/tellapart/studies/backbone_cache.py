"""What the trials of a study share: the images as their networks see them, the frozen base, the compiled steps."""

from dataclasses import replace

import keras

from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import require_classes
from tellapart.files import cache_folder
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.recipe import FACTS
from tellapart.training.loop import repeatable
from tellapart.training.prepare import preprocessing_for
from tellapart.training.tasks import Task, make_task

MAX_LOOP_BYTES = 500_000_000  # of weights that compiled loops may hold while no trial uses them


BELOW_LOOP = tuple(name for name, facts in FACTS.items() if facts.rebuilds == "examples")
"""Trials that agree in these fields share their examples and the frozen backbone."""
COMPILED = tuple(name for name, facts in FACTS.items() if facts.rebuilds != "nothing")
"""Trials that agree in these share the compiled steps of a loop; it reads the others again at every epoch."""
Key = tuple[object, ...]


class BackboneCache:
    """What networks stand on, made once for all recipes that share it. Lives for one study."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._tasks: dict[Key, Task] = {}

    def has(self, recipe: NetworkRecipe) -> bool:
        """Whether what a recipe's network stands on is there, and its examples."""
        return _values(BELOW_LOOP, recipe) in self._tasks

    def task(self, recipe: NetworkRecipe) -> Task:
        """What a recipe's network stands on, its examples, and some network on it. Raises DatasetError."""
        key = _values(BELOW_LOOP, recipe)
        if key not in self._tasks:
            preprocessing = preprocessing_for(self._dataset, recipe)
            self._tasks[key] = make_task(self._dataset, recipe, preprocessing, cache=cache_folder())
            require_classes(self._tasks[key].dataset)
        return replace(self._tasks[key], recipe=recipe)

    def network(self, recipe: NetworkRecipe) -> keras.Model:
        """A fresh network, its weights drawn by the seed as in `train`."""
        task = self.task(recipe)
        repeatable(recipe.seed)  # now, for making the task may have drawn
        return task.standing.network(recipe, task.preprocessing.channels, len(task.dataset.classes))


def loop_key(recipe: NetworkRecipe) -> Key:
    """What decides a compiled loop."""
    return _values(COMPILED, recipe)


def ignore_step(_: int) -> None:
    """Within an epoch nothing is shown."""


def _values(names: tuple[str, ...], recipe: NetworkRecipe) -> Key:
    return tuple(getattr(recipe, name) for name in names)
