"""The small networks have the sizes that their sources state."""

import keras
import numpy as np
import pytest

from tellapart.models.catalogue import MODELS
from tellapart.models.networks import scratch_network
from tellapart.models.resolved_recipe import resolve_network
from tellapart.models.scratch import BODIES
from tellapart.recipe import Recipe


def network(model: str, size: int, channels: int, classes: int = 10) -> keras.Model:
    return scratch_network(resolve_network(Recipe(model=model, size=size, dropout=0.2)), channels, classes)


def test_mlp_has_the_parameters_of_the_tutorials() -> None:
    assert network("mlp", 28, 1).count_params() == 101_770


def test_lenet5_has_the_parameters_of_its_paper_with_full_connections_in_the_second_convolution() -> None:
    convolutions = (5 * 5 * 1 + 1) * 6 + (5 * 5 * 6 + 1) * 16
    dense = (5 * 5 * 16 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 10
    assert network("lenet5", 28, 1).count_params() == convolutions + dense == 61_706


def test_the_hidden_layer_of_mlp_has_as_many_units_as_the_recipe_says() -> None:
    hidden = scratch_network(resolve_network(Recipe(model="mlp", size=8, units=7)), 3, 4)
    assert hidden.count_params() == (8 * 8 * 3 + 1) * 7 + (7 + 1) * 4


def test_every_small_model_of_the_catalogue_has_a_body_and_no_other() -> None:
    assert BODIES.keys() == {name for name, model in MODELS.items() if not (model.keras_class or model.estimator)}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_smallest_size_of_a_small_network_can_be_built_and_run(name: str, channels: int) -> None:
    size = MODELS[name].smallest
    images = np.zeros((2, size, size, channels), np.uint8)
    assert network(name, size, channels, 3)(images).shape == (2, 3)
