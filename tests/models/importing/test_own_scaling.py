"""What a model does to its input itself, and which scaling it then needs."""

import keras
import numpy as np
import pytest

from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import RecipeError
from tellapart.models.catalogue import Scaling
from tellapart.models.importing.geometry import HERE, KERAS, TEACHABLE, describe
from tellapart.models.importing.keras_geometry import geometry_of
from tellapart.models.importing.keras_import import once_scaled
from tellapart.models.importing.keras_scaling import find_own_scaling
from tellapart.models.importing.own_scaling import OwnScaling, require_scaled_once

layers = keras.layers
IMAGENET = {"mean": [0.485, 0.456, 0.406], "variance": [0.229**2, 0.224**2, 0.225**2]}


def sequential(*body: keras.Layer) -> keras.Model:
    end = [layers.Conv2D(3, 3), layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input((16, 16, 3)), *body, *end])


def functional(*, how: str) -> keras.Model:
    images = keras.Input((16, 16, 3))
    ways = {
        "arithmetic": lambda x: x / 127.5 - 1,
        "turned round": lambda x: 1 - 2 * x,
        "resnet": keras.applications.resnet50.preprocess_input,
        "densenet": keras.applications.densenet.preprocess_input,
        "slice": lambda x: x[..., ::-1] - keras.ops.convert_to_tensor([103.9, 116.8, 123.7]),
    }
    return keras.Model(images, layers.Conv2D(3, 3)(ways[how](images)))


@pytest.mark.parametrize(
    ("model", "steps", "suiting"),
    [
        (sequential(), 0, ["unit", "tf"]),
        (sequential(layers.BatchNormalization()), 0, ["unit", "tf"]),
        (sequential(layers.Rescaling(1 / 255)), 1, ["inside"]),
        (sequential(layers.Rescaling(1 / 255), layers.Normalization(**IMAGENET)), 2, ["inside"]),
        (sequential(layers.Normalization(**IMAGENET)), 1, ["unit"]),
        (sequential(keras.Sequential([layers.RandomFlip(), layers.Rescaling(1 / 127.5, -1)])), 1, ["inside"]),
        (sequential(keras.Sequential([layers.Rescaling(1 / 255), layers.Conv2D(3, 3)])), 1, ["inside"]),
        (functional(how="arithmetic"), 2, ["inside"]),
        (functional(how="turned round"), 2, ["unit", "tf"]),
        (functional(how="resnet"), 2, ["inside"]),
        (functional(how="densenet"), 3, ["inside"]),
        (functional(how="slice"), 2, ["inside"]),
    ],
)
def test_own_scaling_is_found_from_the_input_on(model: keras.Model, steps: int, suiting: list[Scaling]) -> None:
    own = find_own_scaling(model)
    assert (len(own.steps), own.suiting) == (steps, suiting)


def test_what_is_found_is_what_the_layers_compute() -> None:
    model = functional(how="resnet")
    own = find_own_scaling(model)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.float32)
    first = keras.Model(model.inputs[0], model.layers[-1].input)
    ours = pixels[..., ::-1] * own.slope + own.offset
    assert own.reverses
    np.testing.assert_allclose(np.asarray(first(pixels)), ours, atol=1e-3)


def test_images_are_not_scaled_twice() -> None:
    model = sequential(layers.Rescaling(1 / 255, name="own"))
    with pytest.raises(RecipeError, match=r"\(layer own: x 0\.00392\).*see 0 to 0\.00392\. Use --preprocess none"):
        once_scaled(model, "unit")
    assert once_scaled(model, "inside") == (
        "inside",
        "the model scales its input itself (layer own: x 0.00392): after --preprocess none its layers see 0 to 1",
    )
    assert once_scaled(model, "tf", named=True)[0] == "inside"
    assert once_scaled(model, "unit", twice=True)[0] == "unit"
    with pytest.raises(RecipeError, match="turns RGB into BGR itself"):
        once_scaled(functional(how="resnet"), "caffe")
    assert once_scaled(sequential(), "unit") == ("unit", None)


def test_a_scaling_of_its_own_that_suits_no_range_is_only_told() -> None:
    own = OwnScaling().then("layer odd: x 255", 255.0, 0.0)
    assert require_scaled_once(own, "unit")[0] == "unit"


def own_model() -> keras.Model:
    images = keras.Input((16, 16, 3), dtype="uint8", name="pictures")
    return keras.Model(images, layers.Flatten()(layers.Rescaling(1 / 255)(images)))


def test_the_geometry_is_that_of_the_tool() -> None:
    backbone = keras.Model(images := keras.Input((16, 16, 3)), layers.Conv2D(3, 3)(images))
    head = [layers.Dense(4, activation="relu"), layers.Dense(3, activation="softmax", use_bias=False)]
    teachable = keras.Sequential(
        [keras.Sequential([backbone, layers.GlobalAveragePooling2D()]), keras.Sequential(head)]
    )
    assert [geometry_of(model) for model in (sequential(), teachable, own_model())] == [KERAS, TEACHABLE, HERE]


def test_the_geometry_is_said() -> None:
    said = describe(KERAS, Preprocessing(8, 9, 3, "stretch", "keras-bilinear"))
    assert "stretched to 8 x 9 by keras-bilinear, as Keras's image_dataset_from_directory does" in said
    assert "--resize keras-nearest" in said
    assert "as asked for" in describe(KERAS, Preprocessing(8, 9, 3, "crop", "keras-bilinear"))
