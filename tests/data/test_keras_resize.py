"""Images are resized as Keras resizes them. The numbers of TensorFlow are kept here, so that no test imports it."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.preprocessing import Fit, Preprocessing, Resize

KERAS: tuple[Resize, ...] = ("keras-bilinear", "keras-nearest")


def noise(height: int, width: int) -> ImageArray:
    """Make the same numbers with every version of NumPy: uint8 (height, width, 3)."""
    steps = np.arange(height * width * 3, dtype=np.uint64)
    return (steps * steps * np.uint64(2654435761) >> np.uint64(13)).astype(np.uint8).reshape(height, width, 3)


def test_small_numbers_are_those_of_tensorflow() -> None:
    """`tf.image.resize` of the squares of 0 to 15: 8.83, 16.5, 27.5, 107.5, 136.5, 168.83, rounded half to even."""
    image = (np.arange(16) ** 2).astype(np.uint8).reshape(4, 4, 1)
    out = Preprocessing(2, 3, 1, "stretch", "keras-bilinear")(image)
    assert out[:, :, 0].tolist() == [[9, 16, 28], [108, 136, 169]]


SHAPES = [
    ((37, 53), (20, 20)),
    ((20, 31), (64, 48)),
    ((2, 9), (5, 5)),
    ((400, 301), (150, 150)),
    ((533, 400), (96, 40)),
]
TENSORFLOW = {
    "stretch": ["cc7b5c6035f3", "a19e1174844d", "64f3e1faf0ab", "1f9aabf9e600", "6d6e054578e8"],
    "crop": ["e7dcee599351", "c27b099188a5", "46174aa737a3", "ec8f92f50a61", "81d4d2da75cd"],
    "pad": ["cee8cb6ba3bf", "e450f9c5ed2c", "3078b1a8f649", "33dd7fc58486", "0932ec759e02"],
}
"""The first digits of the SHA-256 of what TensorFlow makes of `noise`, rounded, for each of SHAPES.

`stretch` is `tf.image.resize`, `crop` Keras's `smart_resize`, `pad` `tf.image.resize_with_pad`, as
`image_dataset_from_directory` calls them.
"""


@pytest.mark.parametrize("fit", TENSORFLOW)
def test_bilinear_is_keras_to_the_bit(fit: Fit) -> None:
    hashes = [
        hashlib.sha256(Preprocessing(*size, 3, fit, "keras-bilinear")(noise(*shape)).tobytes()).hexdigest()[:12]
        for shape, size in SHAPES
    ]
    assert hashes == TENSORFLOW[fit]


@pytest.mark.parametrize("resize", KERAS)
def test_keras_does_not_antialias(resize: Resize) -> None:
    """A checkerboard that shrinks by an odd factor keeps black and white; Pillow's bicubic makes it grey."""
    board = (np.indices((90, 90)).sum(axis=0) % 2 * 255).astype(np.uint8)[:, :, np.newaxis]
    assert {*np.unique(Preprocessing(30, 30, 1, "stretch", resize)(board))} == {0, 255}
    assert 100 < Preprocessing(30, 30, 1, "stretch")(board)[2:-2, 2:-2].mean() < 155


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("resize", KERAS)
def test_proportions_are_kept_as_asked(fit: Fit, resize: Resize) -> None:
    out = Preprocessing(20, 20, 3, fit, resize)(np.full((40, 80, 3), 200, np.uint8))
    border = 5 if fit == "pad" else 0
    assert (out[:border] == 0).all()
    assert (out[border : 20 - border] == 200).all()
    assert (out[20 - border :] == 0).all()


@pytest.mark.parametrize(("fit", "box"), [("stretch", None), ("crop", (8, 0, 45, 37))])
def test_nearest_is_what_load_img_does(fit: Fit, box: tuple[int, int, int, int] | None) -> None:
    """Its boxes have whole pixels: of 53 x 37 the middle 37, from 8."""
    image = noise(37, 53)
    expected = np.asarray(Image.fromarray(image).resize((11, 11), Image.Resampling.NEAREST, box=box))
    np.testing.assert_array_equal(Preprocessing(11, 11, 3, fit, "keras-nearest")(image), expected)


@pytest.mark.parametrize("resize", KERAS)
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 700)])
def test_thin_images_come_out_at_the_size_asked_for(fit: Fit, resize: Resize, shape: tuple[int, int]) -> None:
    out = Preprocessing(9, 14, 3, fit, resize)(np.full((*shape, 3), 7, np.uint8))
    assert out.shape == (9, 14, 3)
    assert out.max() == 7
