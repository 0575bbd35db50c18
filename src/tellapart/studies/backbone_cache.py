"""What the trials of a study share: the images as their networks see them, the frozen base, the compiled steps."""

from dataclasses import replace

import keras

from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import require_classes
from tellapart.files import cache_folder
from tellapart.recipe import Recipe
from tellapart.training.loop import repeatable
from tellapart.training.prepare import preprocessing_for
from tellapart.training.tasks import Task, make_task

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


class BackboneCache:
    """What networks stand on, made once for all recipes that share it. Lives for one study."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._tasks: dict[Recipe, Task] = {}

    def has(self, recipe: Recipe) -> bool:
        """Whether what a recipe's network stands on is there, and its examples."""
        return _apart_from(ABOVE_THE_BASE, recipe) in self._tasks

    def task(self, recipe: Recipe) -> Task:
        """What a recipe's network stands on, its examples, and some network on it. Raises DatasetError."""
        key = _apart_from(ABOVE_THE_BASE, recipe)
        if key not in self._tasks:
            preprocessing = preprocessing_for(self._dataset, recipe)
            self._tasks[key] = make_task(self._dataset, recipe, preprocessing, cache=cache_folder())
            require_classes(self._tasks[key].dataset)
        return replace(self._tasks[key], recipe=recipe)

    def network(self, recipe: Recipe) -> keras.Model:
        """A fresh network, its weights drawn by the seed as in `train`."""
        task = self.task(recipe)
        repeatable(recipe.seed)  # now, for making the task may have drawn
        return task.standing.network(recipe, task.preprocessing.channels, len(task.dataset.classes))


def shape_of(recipe: Recipe) -> Recipe:
    """What decides a compiled loop."""
    return _apart_from(READ_ANEW, recipe)


def quietly(_: int) -> None:
    """Within an epoch nothing is shown."""


def _apart_from(names: tuple[str, ...], recipe: Recipe) -> Recipe:
    return replace(recipe, **{name: getattr(DEFAULTS, name) for name in names})
