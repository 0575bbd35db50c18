"""Mixed precision: quicker arithmetic, the same weights."""

import keras
import numpy as np

from tellapart.models.mixed_precision import set_mixed_precision
from tellapart.models.networks import scratch_network
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe


def test_layers_compute_in_bfloat16_and_back_in_float32_with_the_same_weights() -> None:
    keras.utils.set_random_seed(0)
    network = scratch_network(resolve_network(Recipe(model="cnn", size=16, dropout=0.0)), 3, 4)
    weights = network.get_weights()
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    exact = np.asarray(network(images))
    set_mixed_precision(network, mixed=True)
    assert network.get_layer("hidden").compute_dtype == "bfloat16"
    assert {weight.dtype for weight in network.weights} == {"float32"}
    rough = network(images)
    assert rough.dtype == "float32"
    assert 0 < np.abs(np.asarray(rough) - exact).max() < 0.05 * np.abs(exact).max()
    set_mixed_precision(network, mixed=False)
    np.testing.assert_array_equal(np.asarray(network(images)), exact)
    for before, after in zip(weights, network.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
