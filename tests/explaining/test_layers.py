"""Filters and feature maps as images."""

import keras
import numpy as np
import pytest

from tellapart.bundles.bundle import Bundle
from tellapart.errors import BundleError
from tellapart.explaining.layer_hooks import find_map_layers, hook_layers
from tellapart.explaining.layers import GREY, feature_maps, first_filters
from tellapart.models.graphs.convert import to_graph
from tellapart.models.networks import mirror_network
from tellapart.training.run import Run

from .conftest import HEIGHT, WIDTH, BundleOf, Squares


def test_filters_are_images_of_the_first_layers_weights(bundle: Bundle, network: keras.Model) -> None:
    images = first_filters(bundle)
    kernel = np.asarray(network.get_layer("backbone").get_layer("conv1").kernel)
    assert len(images) == 12
    for number, image in enumerate(images):
        assert image.shape == (3, 3, 3)
        assert image.dtype == np.uint8
        weights = kernel[:, :, :, number]
        np.testing.assert_allclose(image - float(GREY), 127 * weights / np.abs(weights).max(), atol=0.5)


def test_a_dense_first_layer_has_an_image_for_each_unit(trained: Run) -> None:
    images = first_filters(trained.bundle)
    assert {image.shape for image in images} == {(20, 20, 3)}
    with pytest.raises(BundleError, match="no feature maps to show"):
        feature_maps(trained.bundle, np.zeros((20, 20, 3), np.uint8))


def test_weights_that_are_not_images_are_refused(bundle_of: BundleOf) -> None:
    images = keras.Input((8, 8, 3), dtype="uint8")
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0)(images))
    with pytest.raises(BundleError, match="which are not images"):
        first_filters(bundle_of(keras.Model(images, keras.layers.Dense(3, activation="softmax")(pooled))))


def test_feature_maps_come_layer_by_layer(bundle: Bundle, network: keras.Model, shown: Squares) -> None:
    layers = feature_maps(bundle, shown.images[0], channels=5)
    assert [layer.name for layer in layers] == ["conv1", "conv2", "conv3"]
    assert [layer.shape for layer in layers] == [(HEIGHT, WIDTH, 12), (HEIGHT // 2, WIDTH // 2, 24), (8, 12, 24)]
    backbone = network.get_layer("backbone")
    conv1 = keras.Model(backbone.input, backbone.get_layer("conv1").output)
    maps = np.asarray(conv1(shown.images[:1].astype(np.float32) / 255))[0]
    spreads = maps.std(axis=(0, 1))
    assert set(layers[0].channels) == set(np.argsort(-spreads)[:5])
    for channel, image in zip(layers[0].channels, layers[0].images, strict=True):
        assert (image.min(), image.max()) == (0, 255)
        assert np.corrcoef(image.ravel(), maps[:, :, channel].ravel())[0, 1] > 0.999


def test_layers_are_chosen_evenly_and_a_mirrored_network_shows_the_image(
    network: keras.Model, bundle: Bundle, bundle_of: BundleOf, shown: Squares
) -> None:
    assert [layer.name for layer in feature_maps(bundle, shown.images[0], layers=2)] == ["conv1", "conv3"]
    both = bundle_of(mirror_network(network), graph=to_graph(network))
    for layer, other in zip(feature_maps(both, shown.images[0]), feature_maps(bundle, shown.images[0]), strict=True):
        np.testing.assert_array_equal(layer.images[0], other.images[0])


def test_hooks_are_removed_afterwards(network: keras.Model, shown: Squares) -> None:
    before = np.asarray(network(shown.images[:1]))
    names: list[str] = []
    with hook_layers(network, lambda layer, _: names.append(layer.name)):
        network(shown.images[:1])
    with pytest.raises(ValueError, match="shape"), hook_layers(network, lambda *_: None):
        network(np.zeros((1, 2, 2, 7), np.uint8))
    assert "conv1" in names
    count = len(names)
    np.testing.assert_array_equal(np.asarray(network(shown.images[:1])), before)
    assert len(names) == count
    assert [shape for _, shape in find_map_layers(network, shown.images[:1])][-1] == (8, 12, 24)
