"""Networks: images in as bytes, scaled inside, logits while training and probabilities at the end."""

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.errors import RecipeError
from tellapart.models.catalogue import MODELS, Scaling
from tellapart.models.networks import (
    BODIES,
    backbone_network,
    head_network,
    join_classifier,
    logit_count,
    scale_images,
    scratch_network,
    set_mixed_precision,
)
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe

CHANCE = np.random.default_rng(5)
IMAGES = CHANCE.integers(0, 256, (4, 9, 11, 3), dtype=np.uint8)
APPLICATIONS = keras.applications


def as_scaled(scaling: Scaling) -> NDArray[np.float32]:
    images = keras.Input((9, 11, 3), dtype="uint8")
    numbers: NDArray[np.float32] = keras.Model(images, scale_images(images, scaling)).predict_on_batch(IMAGES)
    return numbers


@pytest.mark.parametrize(
    ("scaling", "module"), [("tf", "xception"), ("torch", "densenet"), ("caffe", "vgg16"), ("inside", "efficientnet")]
)
def test_scaling_equals_keras_preprocess_input(scaling: Scaling, module: str) -> None:
    theirs = getattr(APPLICATIONS, module).preprocess_input(IMAGES.astype(np.float32))
    ours = as_scaled(scaling)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=2e-5 * max(1.0, float(np.abs(theirs).max()) / 100))


def test_small_networks_see_numbers_from_0_to_1() -> None:
    np.testing.assert_allclose(as_scaled("unit"), IMAGES / 255, atol=1e-6)


def test_a_binary_head_has_one_logit_and_its_probabilities_are_the_sigmoids() -> None:
    recipe = resolve_network(Recipe(model="mlp", size=8, loss="binary"))
    network = scratch_network(recipe, 3, 2)
    images = CHANCE.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    logits = network.predict_on_batch(images)[:, 0].astype(np.float64)
    probabilities = join_classifier(None, network).predict_on_batch(images)
    assert probabilities.shape == (6, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_a_binary_loss_over_three_classes_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"loss is binary, but there are 3 classes: it needs exactly 2"):
        logit_count(resolve_network(Recipe(loss="binary")), 3)


@pytest.mark.parametrize(
    ("inner", "dropout", "names"),
    [
        (0, 0.0, ["logits"]),
        (16, 0.0, ["inner", "logits"]),
        (0, 0.5, ["dropout", "logits"]),
        (16, 0.5, ["inner", "dropout", "logits"]),
    ],
)
def test_a_head_has_the_layers_of_its_recipe(inner: int, dropout: float, names: list[str]) -> None:
    network = head_network(32, resolve_network(Recipe(inner=inner, dropout=dropout)), 5)
    assert [layer.name for layer in network.layers[1:]] == names
    assert network.output_shape == (None, 5)


def test_a_classifier_joins_a_backbone_and_a_head_without_dropout() -> None:
    base = backbone_network("mobilenet-v3-small", 32, "none")
    head = head_network(base.output_shape[-1], resolve_network(Recipe(inner=8, dropout=0.9)), 3)
    product = join_classifier(base, head)
    images = CHANCE.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    logits = head.predict_on_batch(base.predict_on_batch(images))
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    np.testing.assert_allclose(product.predict_on_batch(images), expected, atol=1e-5)


def test_a_network_of_the_catalogue_can_be_trained_from_scratch_with_learning_batch_normalisation() -> None:
    network = scratch_network(resolve_network(Recipe(model="mobilenet", weights="none", size=32, dropout=0.0)), 3, 4)
    assert network.output_shape == (None, 4)
    variance = next(v for v in network.non_trainable_variables if "moving_variance" in v.path)
    before = variance.numpy()
    network(CHANCE.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8), training=True)
    assert not np.array_equal(before, variance.numpy())


@pytest.mark.parametrize("loss", ["categorical", "binary"])
def test_a_classifier_is_saved_and_opened_in_safe_mode(tmp_path: Path, loss: str) -> None:
    recipe = resolve_network(Recipe.of({"model": "cnn", "size": 8, "loss": loss, "dropout": 0.3}))
    product = join_classifier(None, scratch_network(recipe, 1, 2))
    product.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    images = CHANCE.integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    np.testing.assert_allclose(again.predict_on_batch(images), product.predict_on_batch(images), atol=1e-6)


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


@pytest.mark.parametrize("model", ["mlp", "cnn", "lenet5", "mobilenet", "efficientnet-v2-b0"])
def test_images_need_not_be_square(model: str) -> None:
    recipe = resolve_network(Recipe(model=model, weights="none", size="32x48"))
    assert scratch_network(recipe, 3, 4).input_shape == (None, 32, 48, 3)


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
