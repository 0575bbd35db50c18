"""Temperature scaling in Keras layers, for a softmax anywhere in the network."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from tellapart.errors import BundleError
from tellapart.exporting.keras_temperature import add_temperature, non_layer_operations
from tellapart.judging.calibration import apply_temperature
from tellapart.models.networks import mirror_network, scale_images

from .bundle_fixtures import SIDE, colour_logits, layers, softmax_network


def activation_network() -> keras.Model:
    images, logits = colour_logits()
    return keras.Model(images, layers.Activation("softmax")(logits))


def dense_network() -> keras.Model:
    images, logits = colour_logits(outputs=5)
    return keras.Model(images, layers.Dense(3, activation="softmax", bias_initializer="ones")(logits))


def nested_twice() -> keras.Model:
    inner = keras.Sequential([keras.Input((SIDE, SIDE, 3), dtype="uint8"), dense_network()])
    images = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    return keras.Model(images, inner(images, training=False))


def mirrored_dense() -> keras.Model:
    return mirror_network(dense_network())


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
@pytest.mark.parametrize(
    "make",
    [
        softmax_network,
        activation_network,
        dense_network,
        nested_twice,
        lambda: mirror_network(softmax_network()),
        mirrored_dense,
    ],
)
def test_it_equals_the_softmax_of_log_probabilities_over_t(make: Callable[[], keras.Model], temperature: float) -> None:
    network = make()
    images = np.random.default_rng(0).integers(0, 256, (9, SIDE, SIDE, 3), dtype=np.uint8)
    unscaled = np.asarray(network(images))
    scaled_probs = np.asarray(add_temperature(network, temperature)(images))
    np.testing.assert_allclose(scaled_probs, apply_temperature(unscaled.astype(np.float64), temperature), atol=1e-5)
    assert np.abs(scaled_probs - unscaled).max() > 0.05 or temperature == 1
    np.testing.assert_array_equal(np.asarray(network(images)), unscaled)  # the network itself is unchanged


def test_a_network_without_softmax_is_refused() -> None:
    images, logits = colour_logits(outputs=1)
    positive = layers.Activation("sigmoid")(logits)
    network = keras.Model(images, layers.Concatenate(name="both")([1 - positive, positive]))
    assert add_temperature(network, 1.0) is network
    with pytest.raises(BundleError, match=r"ends in both, not in a softmax.*2\.000.*savedmodel, onnx"):
        add_temperature(network, 2.0)


def test_operations_that_are_not_layers_are_found() -> None:
    assert non_layer_operations(softmax_network()) == []
    assert non_layer_operations(mirror_network(softmax_network())) == ["Flip"]
    images = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    inner = keras.Model(images, scale_images(images, "caffe"))
    outer = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    assert non_layer_operations(keras.Model(outer, inner(outer))) == ["GetItem"] or non_layer_operations(inner) == [
        "Take"
    ]
