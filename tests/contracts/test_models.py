"""What every network of the catalogue keeps, each at the smallest size it takes, without any download."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

from tellapart.engine import Engine
from tellapart.models.catalogue import MODELS
from tellapart.models.graphs.convert import to_graph
from tellapart.models.networks import backbone_network, scale_images

BASES = {name: model for name, model in MODELS.items() if model.keras_class is not None}
QUICK = (
    "mobilenet", "mobilenet-v3-small", "vgg16", "xception", "efficientnet-b0", "convnext-tiny",
)  # fmt: skip
MODULES = {  # of keras.applications, each with the preprocess_input that belongs to its classes
    "Xception": "xception", "VGG16": "vgg16", "VGG19": "vgg19", "MobileNet": "mobilenet",
    "MobileNetV2": "mobilenet_v2", "MobileNetV3": "mobilenet_v3", "InceptionV3": "inception_v3",
    "InceptionResNetV2": "inception_resnet_v2", "DenseNet": "densenet", "NASNet": "nasnet",
    "EfficientNetB": "efficientnet", "EfficientNetV2": "efficientnet_v2", "ConvNeXt": "convnext", "ResNet": "resnet",
}  # fmt: skip


def quick_or_long(names: tuple[str, ...]) -> list[Any]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in names]


def module_of(keras_class: str) -> ModuleType:
    """Find the module of keras.applications that a class belongs to."""
    prefix = max((prefix for prefix in MODULES if keras_class.startswith(prefix)), key=len)
    name = "resnet_v2" if re.fullmatch(r"ResNet\d+V2", keras_class) else MODULES[prefix]
    module: ModuleType = getattr(keras.applications, name)
    return module


def test_the_catalogue_holds_every_class_of_keras_applications_and_no_other() -> None:
    theirs = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {model.keras_class for model in BASES.values()} == theirs
    assert len(BASES) == len(theirs)


@pytest.mark.parametrize("name", BASES)
def test_a_name_is_the_class_in_small_letters(name: str) -> None:
    assert name.replace("-", "") == str(BASES[name].keras_class).lower()


@pytest.mark.parametrize("name", BASES)
def test_the_sizes_are_in_order_and_a_licence_is_stated(name: str) -> None:
    assert BASES[name].smallest <= BASES[name].size
    assert BASES[name].licence


@pytest.mark.parametrize("name", BASES)
def test_one_pixel_less_than_the_smallest_size_is_refused_by_keras(name: str) -> None:
    side = BASES[name].smallest - 1
    with pytest.raises(ValueError, match=f"at least {side + 1}x{side + 1}"):
        getattr(keras.applications, str(BASES[name].keras_class))(
            weights=None, include_top=False, input_shape=(side, side, 3)
        )


@pytest.mark.parametrize("name", BASES)
def test_scaling_is_the_models_own_preprocess_input(name: str) -> None:
    images = np.random.default_rng(2).integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    theirs = module_of(str(BASES[name].keras_class)).preprocess_input(images.astype(np.float32))
    inputs = keras.Input((5, 7, 3), dtype="uint8")
    ours = keras.Model(inputs, scale_images(inputs, BASES[name].scaling)).predict_on_batch(images)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", quick_or_long(tuple(BASES)))
def test_a_base_at_its_smallest_size_agrees_as_graph_and_as_saved_model(
    name: str, tmp_path: Path, awaken: Callable[[Any], None]
) -> None:
    keras.utils.set_random_seed(3)
    side = BASES[name].smallest
    network = backbone_network(name, side, "none")
    awaken(network)
    images = np.random.default_rng(4).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    expected = keras.ops.convert_to_numpy(network(images, training=False))
    assert np.abs(expected[0] - expected[1]).max() > 0.01  # else agreement would say nothing
    (found,) = Engine(to_graph(network), batch=3, precision="float32").run([images])
    # Rounding grows with depth where weights are random: by a few 1e-4 of the largest value in the deepest networks.
    np.testing.assert_allclose(found, expected, atol=5e-4 * max(1.0, float(np.abs(expected).max())))
    network.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(again(images, training=False)), expected, atol=1e-5)
