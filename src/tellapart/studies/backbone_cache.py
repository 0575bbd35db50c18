"""BackboneCache: decoded images, frozen backbones and their features, shared by the trials of a study."""

from dataclasses import replace

import keras

from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import require_classes
from tellapart.files import cache_folder
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.recipe import FACTS
from tellapart.training.fitting.loop import seed_everything
from tellapart.training.prepare import preprocessing_for
from tellapart.training.tasks import Task, make_task

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
