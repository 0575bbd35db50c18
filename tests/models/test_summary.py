"""What a network costs, against counts by hand and published figures."""

import keras
import pytest

from tellapart.models.networks import backbone_network, scratch_network
from tellapart.models.resolved_recipe import resolve_network
from tellapart.models.summary import optimizer_numbers, prediction_rate, summarise
from tellapart.recipe import Recipe


def test_mlp_is_counted_as_by_hand() -> None:
    found = summarise(scratch_network(resolve_network(Recipe(model="mlp", size=28, dropout=0.2)), 1, 10))
    assert found.parameters == found.trainable == 101_770
    assert found.multiply_adds == 784 * 128 + 128 * 10
    assert found.weight_bytes == 4 * 101_770
    assert found.activation_bytes == 4 * (784 + 784 + 128 + 128 + 10)
    assert [layer.name for layer in found.layers] == ["scaling", "flatten", "hidden", "dropout", "logits"]


def test_lenet5_is_counted_as_by_hand() -> None:
    found = summarise(scratch_network(resolve_network(Recipe(model="lenet5", size=28)), 1, 10))
    by_name = {layer.name: layer for layer in found.layers}
    assert by_name["conv1"].multiply_adds == 28 * 28 * 5 * 5 * 6
    assert by_name["conv2"].multiply_adds == 10 * 10 * 5 * 5 * 6 * 16
    assert by_name["conv2"].shape == (10, 10, 16)
    assert by_name["dense1"].multiply_adds == 400 * 120
    assert by_name["pool1"].multiply_adds == by_name["pool1"].parameters == 0


def test_batch_normalisation_has_parameters_that_are_not_trained() -> None:
    images = keras.Input((8, 8, 7))
    found = summarise(keras.Model(images, keras.layers.BatchNormalization()(images)))
    assert (found.parameters, found.trainable) == (4 * 7, 2 * 7)


def test_depthwise_and_separable_convolutions_are_counted_as_by_hand() -> None:
    images = keras.Input((8, 8, 4))
    x = keras.layers.DepthwiseConv2D(3, padding="same", name="depthwise")(images)
    x = keras.layers.SeparableConv2D(5, 3, strides=2, padding="same", name="separable")(x)
    x = keras.layers.Conv2D(10, 3, groups=5, padding="same", name="grouped")(x)
    depthwise, separable, grouped = summarise(keras.Model(images, x)).layers
    assert depthwise.multiply_adds == 8 * 8 * 3 * 3 * 4
    assert separable.multiply_adds == 4 * 4 * (3 * 3 * 4 + 4 * 5)
    assert grouped.multiply_adds == 4 * 4 * 3 * 3 * 10  # each of 10 outputs sees one of 5 inputs


@pytest.mark.parametrize(
    ("name", "millions", "parameters"),
    [
        ("mobilenet", 567.7, 3_228_864),  # Howard et al. 2017, table 4: 569 M with the classifier's 1 M
        ("vgg16", 15_346.6, 14_714_688),  # the figure known for VGG-16 is 15.5 G with 124 M of dense layers
    ],
)
def test_known_networks_have_their_published_multiply_adds_and_parameters(
    name: str, millions: float, parameters: int
) -> None:
    found = summarise(backbone_network(name, 224, "none"))
    assert found.multiply_adds / 1e6 == pytest.approx(millions, abs=0.1)
    assert found.parameters == parameters


def test_the_rate_of_prediction_is_measured_with_its_precision() -> None:
    rate, precision = prediction_rate(scratch_network(resolve_network(Recipe(model="mlp", size=8)), 1, 2))
    assert rate > 0
    assert precision in ("float32", "bfloat16")


def test_adam_keeps_two_numbers_for_each_parameter_and_two_more() -> None:
    network = scratch_network(resolve_network(Recipe(model="mlp", size=28, units=448)), 1, 10)
    assert summarise(network).parameters == 356_170 == 784 * 448 + 448 + 448 * 10 + 10
    assert optimizer_numbers(network, "adam") == 2 * 356_170 + 2  # as Keras's summary counts them in its tutorial
    assert optimizer_numbers(network, "rmsprop") == 356_170 + 2
