"""Examples that a small network learns in a second."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from tellapart.models.networks import head_network
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.training.fitting.examples import Examples
from tellapart.training.fitting.loop import seed_everything

Learnable = Callable[..., Examples]
Fresh = Callable[[NetworkRecipe], keras.Model]


@pytest.fixture(scope="session")
def learnable() -> Learnable:
    """Make vectors of 6 numbers, normal around a centre for each class."""

    def make(count: int, *, classes: int = 3, seed: int = 0, noise: float = 1.0) -> Examples:
        centres = 2 * np.random.default_rng(99).normal(size=(classes, 6))
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, classes, count).astype(np.int32)
        inputs = (centres[labels] + noise * rng.normal(size=(count, 6))).astype(np.float32)
        return Examples(inputs, labels)

    return make


@pytest.fixture(scope="session")
def fresh() -> Fresh:
    """Make the network of a recipe, its weights drawn by the recipe's seed."""

    def make(recipe: NetworkRecipe) -> keras.Model:
        seed_everything(recipe.seed)
        return head_network(6, recipe, 2 if recipe.loss == "binary" else 3)

    return make
