"""Networks: images in as bytes, scaled inside, logits while training and probabilities at the end."""

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.errors import RecipeError
from tellapart.models.catalogue import Scaling
from tellapart.models.networks import (
    backbone_network,
    head_network,
    join_classifier,
    logit_count,
    scale_images,
    scratch_network,
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
