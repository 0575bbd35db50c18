"""A network trained from scratch within a budget: as many epochs as its forecast says that there is time for."""

import math
from dataclasses import replace
from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.data.image_size import sides_of, size_text
from tellapart.errors import RunError
from tellapart.files import cache_folder
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.training.budget import Limits, duration_text, enough_time
from tellapart.training.forecast import forecast
from tellapart.training.prepare import preprocessing_for
from tellapart.training.run_files import WINNER
from tellapart.training.tasks import backbone_for

MIN_NUMBERS = 2e8  # pixel values in all epochs: fewer take seconds, and a forecast costs as much
LARGE = 50  # times as much work per pixel in a large network


def within_budget(dataset: Dataset, recipe: NetworkRecipe, folder: Path, limits: Limits) -> NetworkRecipe:
    """Return the recipe with the epochs that fit, the same for a run that resumes. Raises RunError without one."""
    if (folder / WINNER).exists():
        return replace(recipe, epochs=Recipe.read(folder / WINNER).epochs or recipe.epochs)
    if _numbers(dataset, recipe) < MIN_NUMBERS:
        return recipe
    preprocessing = preprocessing_for(dataset, recipe)
    cost = forecast(dataset, recipe, preprocessing, backbone_for(recipe, preprocessing), cache=cache_folder())
    whole_s, room_s = cost.seconds(recipe.epochs), limits.room_s
    epochs = min(recipe.epochs, int(max(room_s - cost.seconds(0), 0.0) / cost.epoch_s))
    if epochs < 1:
        raise RunError(_too_long(recipe, cost.seconds(1), room_s))
    if epochs < recipe.epochs:
        notify(
            f"{recipe.model}: {recipe.epochs} epochs would take about {duration_text(whole_s)}, more than the "
            f"{duration_text(room_s)} that there are: at most {epochs}. --time {enough_time(whole_s)} allows all; a "
            f"smaller --size is cheaper"
        )
    else:
        notify(f"{recipe.model}: at most {recipe.epochs} epochs, about {duration_text(whole_s)}")
    chosen = replace(recipe, epochs=epochs)
    chosen.write(folder / WINNER)
    return chosen


def _numbers(dataset: Dataset, recipe: NetworkRecipe) -> float:
    """Count the pixels that a training reads, in those of a small network."""
    pixels = len(dataset.splits["train"]) * recipe.epochs * math.prod(sides_of(recipe.size))
    return pixels * (LARGE if recipe.entry.pretrained else 1)


def _too_long(recipe: NetworkRecipe, epoch_s: float, room_s: float) -> str:
    enough, duration = enough_time(recipe.epochs * epoch_s), duration_text(epoch_s)
    return (
        f"one epoch of {recipe.model} at {size_text(recipe.size)} pixels would take about {duration}, and there are "
        f"{duration_text(max(room_s, 0.0))}. Nothing was trained: allow it with --time {enough}, or take a cheaper "
        f"way: a smaller --size, or --model lenet5 or mlp"
    )
