"""A model with channels first answers the same with channels last."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tellapart.errors import WeightsError
from tellapart.models.importing.archive import inspect_archive
from tellapart.models.importing.channels_last import to_channels_last
from tellapart.models.importing.keras_import import build_classifier, input_shape, load_model

layers = keras.layers
FIRST = {"data_format": "channels_first"}


def network(order: str, flatten: str) -> keras.Model:
    """A network whose dense layer takes the values in the order that `flatten` gives them with channels first."""
    first = order == "channels_first"
    way = {"data_format": order}
    body = [layers.Conv2D(4, 3, **way), layers.BatchNormalization(axis=1 if first else -1), layers.ReLU()]
    end = [layers.MaxPooling2D(**way), layers.DepthwiseConv2D(2, **way)]
    as_first = [] if first or flatten == "channels_first" else [layers.Permute((3, 1, 2))]
    flat = [*as_first, layers.Flatten(data_format=flatten if first else order), layers.Dense(3)]
    return keras.Sequential([keras.Input((3, 8, 10) if first else (8, 10, 3)), *body, *end, *flat])


@pytest.mark.parametrize("flatten", ["channels_first", "channels_last"])
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_channels_first_become_channels_last(flatten: str, ending: str, tmp_path: Path) -> None:
    first, last = network("channels_first", flatten), network("channels_last", flatten)
    last.set_weights(first.get_weights())
    first.save(tmp_path / f"first{ending}")
    with inspect_archive(tmp_path / f"first{ending}") as copy:
        model = load_model(copy)
    assert input_shape(model, None) == (8, 10, 3)
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 10, 3), dtype=np.uint8)
    adopted = build_classifier(model, (8, 10, 3), "unit", 3)
    expected = keras.ops.softmax(last(images / np.float32(255)))
    np.testing.assert_allclose(np.asarray(adopted.network(images)), np.asarray(expected), atol=1e-6)


def test_a_functional_model_is_translated_and_what_depends_on_axes_is_refused(tmp_path: Path) -> None:
    images = keras.Input((3, 8, 8))
    one, two = (layers.Conv2D(2, 3, padding="same", **FIRST)(images) for _ in range(2))
    joined = layers.GlobalAveragePooling2D(**FIRST)(layers.Concatenate(axis=1)([one, two]))
    keras.Model(images, layers.Dense(2)(joined)).save(tmp_path / "good.keras")
    with inspect_archive(tmp_path / "good.keras") as copy:
        assert input_shape(load_model(copy), None) == (8, 8, 3)
    for odd in (layers.Reshape((4, 64)), layers.BatchNormalization(), layers.Flatten()):
        keras.Model(images, odd(layers.Concatenate(axis=1)([one, two]))).save(tmp_path / "odd.keras")
        with pytest.raises(WeightsError, match="is not translated"), inspect_archive(tmp_path / "odd.keras"):
            pytest.fail("it was handed on")


def test_channels_last_are_left_alone() -> None:
    config = {"class_name": "Sequential", "config": {"layers": []}}
    assert to_channels_last(config) is config
