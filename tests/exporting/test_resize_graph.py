"""Resizing in the graph gives the pixels of `Preprocessing`."""

import numpy as np
import pytest
import tensorflow as tf

from tellapart.data.preprocessing import Fit, Preprocessing, Resize
from tellapart.exporting.resize_graph import resize_function

SIZES = ((37, 53), (20, 31), (90, 22), (211, 60), (5, 3), (1, 1), (24, 24), (64, 24), (100, 101))
TARGETS = (Preprocessing(24, 24, 3), Preprocessing(20, 31, 1))


def noise(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("precise", [True, False])
@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("resize", ["pillow-bicubic", "keras-bilinear", "keras-nearest"])
def test_pixels_are_those_of_the_bundle(resize: Resize, fit: Fit, precise: bool) -> None:
    differing, count = 0, 0
    for target in TARGETS:
        preprocessing = Preprocessing(target.height, target.width, target.channels, fit, resize)
        for size in SIZES:
            image = noise(*size, target.channels)
            pixels = resize_function(preprocessing, precise=precise)(tf.constant(image[np.newaxis])).numpy()[0]
            assert (pixels.dtype, pixels.shape) == (np.uint8, (target.height, target.width, target.channels))
            difference = np.abs(pixels.astype(int) - preprocessing(image))
            if resize == "pillow-bicubic":
                assert difference.max() <= 1, size
            differing += int(np.count_nonzero(difference))
            count += difference.size
    exact = resize == "keras-bilinear" or (resize == "keras-nearest" and precise)
    assert differing <= (0 if exact else 2e-3 * count if resize == "pillow-bicubic" else 0.1 * count)


def test_images_of_one_size_are_resized_together() -> None:
    images = np.stack([noise(37, 53, 3), noise(37, 53, 3)[::-1]])
    preprocessing = Preprocessing(24, 24, 3)
    resized = resize_function(preprocessing)(tf.constant(images)).numpy()
    for image, pixels in zip(images, resized, strict=True):
        np.testing.assert_allclose(pixels, preprocessing(image).astype(int), atol=1)
