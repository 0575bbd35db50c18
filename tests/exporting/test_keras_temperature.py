"""A temperature is put into a network by Keras's layers, wherever its softmax is."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from tellapart.errors import BundleError
from tellapart.exporting.keras_temperature import operations, with_temperature
from tellapart.judging.calibration import apply_temperature
from tellapart.models.networks import mirror_network, scale_images

from .nursery import SIDE, layers, logits_of_colours, plain


def by_activation() -> keras.Model:
    images, logits = logits_of_colours()
    return keras.Model(images, layers.Activation("softmax")(logits))


def by_dense() -> keras.Model:
    images, logits = logits_of_colours(outputs=5)
    return keras.Model(images, layers.Dense(3, activation="softmax", bias_initializer="ones")(logits))


def nested_twice() -> keras.Model:
    inner = keras.Sequential([keras.Input((SIDE, SIDE, 3), dtype="uint8"), by_dense()])
    images = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    return keras.Model(images, inner(images, training=False))


def mirrored_dense() -> keras.Model:
    return mirror_network(by_dense())


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
@pytest.mark.parametrize(
    "make", [plain, by_activation, by_dense, nested_twice, lambda: mirror_network(plain()), mirrored_dense]
)
def test_it_is_softmax_of_logarithms_by_t(make: Callable[[], keras.Model], temperature: float) -> None:
    network = make()
    images = np.random.default_rng(0).integers(0, 256, (9, SIDE, SIDE, 3), dtype=np.uint8)
    bare = np.asarray(network(images))
    found = np.asarray(with_temperature(network, temperature)(images))
    np.testing.assert_allclose(found, apply_temperature(bare.astype(np.float64), temperature), atol=1e-5)
    assert np.abs(found - bare).max() > 0.05 or temperature == 1
    np.testing.assert_array_equal(np.asarray(network(images)), bare)  # the network itself stays as it was


def test_what_ends_in_no_softmax_is_refused() -> None:
    images, logits = logits_of_colours(outputs=1)
    yes = layers.Activation("sigmoid")(logits)
    network = keras.Model(images, layers.Concatenate(name="both")([1 - yes, yes]))
    assert with_temperature(network, 1.0) is network
    with pytest.raises(BundleError, match=r"ends in both, not in a softmax.*2\.000.*savedmodel, onnx"):
        with_temperature(network, 2.0)


def test_what_is_no_layer_is_found_wherever_it_is() -> None:
    assert operations(plain()) == []
    assert operations(mirror_network(plain())) == ["Flip"]
    images = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    inner = keras.Model(images, scale_images(images, "caffe"))
    outer = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    assert operations(keras.Model(outer, inner(outer))) == ["GetItem"] or operations(inner) == ["Take"]
