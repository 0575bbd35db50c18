"""From what a model takes and gives to a classifier."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.data.image_size import Size
from tellapart.errors import RecipeError, TellapartError, WeightsError, require
from tellapart.models.importing.archive import inspect_archive
from tellapart.models.importing.keras_import import build_classifier, input_shape, load_model

layers = keras.layers
h5py = require("h5py", extra="train")  # it has no types
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


def model(*body: keras.Layer, shape: tuple[int | None, ...] = (8, 8, 3)) -> keras.Model:
    x = inputs = keras.Input(shape)
    for layer in body:
        x = layer(x)
    return keras.Model(inputs, x)


def dense(units: int, activation: object = None) -> keras.Model:
    return model(layers.Flatten(), layers.Dense(units, activation=activation))


def answers(network: keras.Model, images: NDArray[Any] = IMAGES) -> NDArray[np.float32]:
    result: NDArray[np.float32] = np.asarray(network(images, training=False))
    return result


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return result


def test_softmax_is_used_as_it_is_and_added_to_logits() -> None:
    logits = dense(4)
    ready = model(*logits.layers[1:], layers.Softmax())
    expected = answers(ready, IMAGES / np.float32(255))
    for one, said in ((ready, "used as they are"), (logits, "softmax is added")):
        adopted = build_classifier(one, (8, 8, 3), "unit", 4)
        assert said in adopted.ending
        np.testing.assert_allclose(answers(adopted.network), expected, atol=1e-6)
    assert adopted.network.input.dtype == "uint8"


def test_one_output_gives_two_classes() -> None:
    logit = dense(1)
    sigmoid = model(*logit.layers[1:], layers.Activation("sigmoid"))
    second = answers(sigmoid, IMAGES / np.float32(127.5) - 1)[:, 0]
    for one in (logit, sigmoid):
        found = build_classifier(one, (8, 8, 3), "tf", 2)
        assert "second class" in found.ending
        np.testing.assert_allclose(answers(found.network)[:, 1], second, atol=1e-6)
        np.testing.assert_allclose(answers(found.network).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    "ending",
    [
        [layers.Flatten(), layers.Dense(3), layers.Activation("softmax"), layers.Dropout(0.5), layers.Reshape((3,))],
        [layers.Conv2D(3, 1, activation="softmax"), layers.GlobalAveragePooling2D()],
        [layers.Flatten(), layers.Dense(3, activation=layers.Softmax())],
        [model(layers.Flatten(), layers.Dense(3, activation="softmax"))],
        [keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3), layers.Softmax()])],
    ],
)
def test_softmax_is_found_below_layers_that_only_reshape(ending: list[keras.Layer]) -> None:
    assert "used as they are" in build_classifier(model(*ending), (8, 8, 3), "unit", 3).ending


@pytest.mark.parametrize(
    ("network", "classes", "said"),
    [
        (dense(3, "sigmoid"), 3, "3 sigmoids"),
        (dense(2, "sigmoid"), 2, "2 sigmoids"),
        (dense(1, "softmax"), 2, "always 1"),
        (dense(3, "relu"), 3, "with relu"),
        (model(layers.Flatten(), layers.Dense(3), layers.BatchNormalization()), 3, "BatchNormalization"),
        (model(layers.Conv2D(3, 1, activation="softmax")), 3, "expected (None, classes)"),
        (dense(3), 4, "4 class names and 3 outputs"),
        (dense(1), 3, "one output is for two classes"),
    ],
)
def test_an_output_that_is_not_a_classifiers_is_refused(network: keras.Model, classes: int, said: str) -> None:
    with pytest.raises(TellapartError) as refusal:
        build_classifier(network, (8, 8, 3), "unit", classes)
    assert said in str(refusal.value)


def test_a_scaling_that_does_not_suit_the_input_is_refused() -> None:
    with pytest.raises(RecipeError, match="takes grey images"):
        build_classifier(model(layers.Flatten(), layers.Dense(2), shape=(8, 8, 1)), (8, 8, 1), "torch", 2)
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    whole = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.Rescaling(1 / 255)(inputs))))
    with pytest.raises(RecipeError, match="--preprocess none"):
        build_classifier(whole, (8, 8, 3), "unit", 2)
    adopted = build_classifier(whole, (8, 8, 3), "inside", 2)
    np.testing.assert_allclose(answers(adopted.network), softmax(answers(whole)), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((8, 8, 3), None, (8, 8, 3)),
        ((8, 8, 1), 8, (8, 8, 1)),
        ((None, None, 3), 20, (20, 20, 3)),
        ((9, 8, 3), None, (9, 8, 3)),
        ((3, 9, 8), None, (9, 8, 3)),
        ((1, None, None), 20, (20, 20, 1)),
        ((9, 8), None, (9, 8, 1)),
        ((None, None), 20, (20, 20, 1)),
        ((64,), None, (8, 8, 1)),
        ((192,), 8, (8, 8, 3)),
        ((None, None, 3), "20x30", (20, 30, 3)),
        ((9, None, 3), "9X30", (9, 30, 3)),
        ((60,), "4x5", (4, 5, 3)),
    ],
)
def test_the_input_shape_is_the_models_or_the_given_size(
    shape: tuple[int | None, ...], size: Size | None, expected: tuple[int, ...]
) -> None:
    assert input_shape(model(shape=shape), size) == expected


@pytest.mark.parametrize(
    ("shape", "size", "said"),
    [
        ((None, None, 3), None, "choose one with --size"),
        ((None, None, 3), 0, "size is 0; expected 1 to 4096"),
        ((8, 8, 3), 9, "takes 8 x 8 pixels"),
        ((9, 8, 3), 8, "takes 9 x 8 pixels"),
        ((8, 8, 3), "8x9", "takes 8 x 8 pixels"),
        ((None, None, 3), "8x", "such as 64x256"),
        ((8, 8, 4), None, "expected 1 or 3 channels"),
        ((8, 8, 3, 3), None, "expected one image"),
        ((60,), None, "takes 60 numbers in a row"),
        ((64,), 9, "9 x 9 x 1 or 3 are others"),
    ],
)
def test_unsupported_input_shapes_are_refused(shape: tuple[int | None, ...], size: Size | None, said: str) -> None:
    with pytest.raises((RecipeError, WeightsError)) as refusal:
        input_shape(model(shape=shape), size)
    assert said in str(refusal.value)


@pytest.mark.parametrize("shape", [(8, 8), (64,), (192,), (3, 8, 9), (1, 8, 9)])
def test_images_are_rearranged_for_other_inputs(shape: tuple[int, ...]) -> None:
    network = model(layers.Flatten(), layers.Dense(3, activation="softmax"), shape=shape)
    height, width, channels = input_shape(network, None)
    adopted = build_classifier(network, (height, width, channels), "unit", 3)
    pixels = np.random.default_rng(0).integers(0, 256, (5, height, width, channels), dtype=np.uint8)
    moved = pixels.transpose(0, 3, 1, 2) if len(shape) == 3 else pixels
    expected = answers(network, moved.reshape(5, *shape) / np.float32(255))
    np.testing.assert_allclose(answers(adopted.network, pixels), expected, atol=1e-6)


def test_a_size_too_small_for_the_layers_is_refused() -> None:
    network = model(layers.Conv2D(3, 5), layers.GlobalAveragePooling2D(), shape=(None, None, 3))
    with pytest.raises(RecipeError, match=r"cannot take images of 4 x 4: .* Try another --size"):
        build_classifier(network, (4, 4, 3), "unit", 3)


def test_a_model_of_two_inputs_is_refused() -> None:
    pair = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    with pytest.raises(WeightsError, match="expected one image"):
        input_shape(keras.Model(pair, layers.Add()(pair)), None)


def test_a_model_that_was_never_called_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="not yet been built"):
        keras.Sequential([layers.Flatten(), layers.Dense(2)]).save(tmp_path / "unbuilt.keras")
    with inspect_archive(tmp_path / "unbuilt.keras") as copy, pytest.raises(WeightsError, match="call it once"):
        load_model(copy)


def test_a_model_that_keras_cannot_rebuild_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"module": "keras.layers", "class_name": "Dense", "config": {"wrong": 1}, "registered_name": None})
    )
    with pytest.raises(WeightsError, match="cannot rebuild the model") as refusal:
        load_model(tmp_path)
    assert "\n" not in str(refusal.value)


def test_a_file_of_keras_2_is_opened(tmp_path: Path) -> None:
    """Made by hand in the form of Keras 2.10: batch_input_shape, nodes as lists, weights named kernel:0."""
    kernel = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)
    config = {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "config": {"batch_input_shape": [None, 8, 8, 3], "dtype": "float32", "name": "input_1"},
                    "name": "input_1",
                    "inbound_nodes": [],
                },
                {
                    "class_name": "GlobalAveragePooling2D",
                    "config": {"name": "pool", "trainable": True, "dtype": "float32", "keepdims": False},
                    "name": "pool",
                    "inbound_nodes": [[["input_1", 0, 0, {}]]],
                },
                {
                    "class_name": "Dense",
                    "config": {
                        "name": "dense",
                        "units": 2,
                        "activation": "softmax",
                        "use_bias": False,
                        "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
                    },
                    "name": "dense",
                    "inbound_nodes": [[["pool", 0, 0, {}]]],
                },
            ],
            "input_layers": [["input_1", 0, 0]],
            "output_layers": [["dense", 0, 0]],
        },
    }
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.10.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"input_1", b"pool", b"dense"]
        for name in ("input_1", "pool", "dense"):
            names = [b"dense/kernel:0"] if name == "dense" else []
            group.create_group(name).attrs["weight_names"] = names
        group["dense"].create_dataset("dense/kernel:0", data=kernel)
    with inspect_archive(tmp_path / "old.h5") as copy:
        old = load_model(copy)
    adopted = build_classifier(old, input_shape(old, None), "inside", 2)
    expected = softmax(IMAGES.mean(axis=(1, 2)).astype(np.float32) @ kernel)
    np.testing.assert_allclose(answers(adopted.network), expected, atol=1e-5)
