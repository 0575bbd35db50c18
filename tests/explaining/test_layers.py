"""Filters and feature maps as images."""

import keras
import numpy as np
import pytest

from tellapart.bundles.bundle import Bundle
from tellapart.errors import BundleError
from tellapart.explaining.layer_hooks import map_shapes, record_layers
from tellapart.explaining.layers import GREY, feature_maps, first_filters
from tellapart.models.graphs.from_keras import to_graph
from tellapart.models.networks import mirrored
from tellapart.training.run import Run

from .conftest import HEIGHT, WIDTH, BundleOf, Squares


def test_filters_are_images_of_the_first_layers_weights(bundle: Bundle, network: keras.Model) -> None:
    found = first_filters(bundle)
    kernel = np.asarray(network.get_layer("base").get_layer("conv1").kernel)
    assert len(found) == 12
    for number, one in enumerate(found):
        assert one.shape == (3, 3, 3)
        assert one.dtype == np.uint8
        weights = kernel[:, :, :, number]
        np.testing.assert_allclose(one - float(GREY), 127 * weights / np.abs(weights).max(), atol=0.5)


def test_a_dense_first_layer_has_a_image_for_each_unit(trained: Run) -> None:
    found = first_filters(trained.bundle)
    assert {one.shape for one in found} == {(20, 20, 3)}
    with pytest.raises(BundleError, match="no feature maps to show"):
        feature_maps(trained.bundle, np.zeros((20, 20, 3), np.uint8))


def test_weights_that_make_no_image_are_refused(bundle_of: BundleOf) -> None:
    images = keras.Input((8, 8, 3), dtype="uint8")
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0)(images))
    with pytest.raises(BundleError, match="which make no images"):
        first_filters(bundle_of(keras.Model(images, keras.layers.Dense(3, activation="softmax")(pooled))))


def test_feature_maps_come_layer_by_layer(bundle: Bundle, network: keras.Model, shown: Squares) -> None:
    found = feature_maps(bundle, shown.images[0], channels=5)
    assert [one.name for one in found] == ["conv1", "conv2", "conv3"]
    assert [one.shape for one in found] == [(HEIGHT, WIDTH, 12), (HEIGHT // 2, WIDTH // 2, 24), (8, 12, 24)]
    base = network.get_layer("base")
    conv1 = keras.Model(base.input, base.get_layer("conv1").output)
    maps = np.asarray(conv1(shown.images[:1].astype(np.float32) / 255))[0]
    spreads = maps.std(axis=(0, 1))
    assert set(found[0].channels) == set(np.argsort(-spreads)[:5])
    for channel, one in zip(found[0].channels, found[0].images, strict=True):
        assert (one.min(), one.max()) == (0, 255)
        assert np.corrcoef(one.ravel(), maps[:, :, channel].ravel())[0, 1] > 0.999


def test_of_many_layers_some_are_shown_and_a_mirrored_network_shows_the_image(
    network: keras.Model, bundle: Bundle, bundle_of: BundleOf, shown: Squares
) -> None:
    assert [one.name for one in feature_maps(bundle, shown.images[0], layers=2)] == ["conv1", "conv3"]
    both = bundle_of(mirrored(network), graph=to_graph(network))
    for one, other in zip(feature_maps(both, shown.images[0]), feature_maps(bundle, shown.images[0]), strict=True):
        np.testing.assert_array_equal(one.images[0], other.images[0])


def test_a_network_is_left_as_it_was_after_being_listened_to(network: keras.Model, shown: Squares) -> None:
    before = np.asarray(network(shown.images[:1]))
    told: list[str] = []
    with record_layers(network, lambda layer, _: told.append(layer.name)):
        network(shown.images[:1])
    with pytest.raises(ValueError, match="shape"), record_layers(network, lambda *_: None):
        network(np.zeros((1, 2, 2, 7), np.uint8))
    assert "conv1" in told
    count = len(told)
    np.testing.assert_array_equal(np.asarray(network(shown.images[:1])), before)
    assert len(told) == count
    assert [shape for _, shape in map_shapes(network, shown.images[:1])][-1] == (8, 12, 24)
