"""Bilinear resizing as Keras does it, for networks trained on images that Keras read. NumPy alone.

It does not antialias: an image that shrinks is sampled at few of its pixels, and a network trained on such images
expects their jagged edges.
"""

import numpy as np
from numpy.typing import NDArray

from tellapart.data.decoding.conversion import ImageArray

Weights = NDArray[np.float32]
Values = NDArray[np.uint8] | NDArray[np.float32]


def resize_bilinear(image: ImageArray, height: int, width: int) -> ImageArray:
    """Resize uint8 (h, w, c) to uint8 (height, width, c), rounded, as `tf.image.resize` with its defaults.

    Only the pixels that are sampled are touched, so the cost follows the new size. Source: TensorFlow's
    resize_bilinear_op.cc with half-pixel centres; like there, all arithmetic is in float32.
    """
    above, below, down = _neighbours(image.shape[0], height)
    left, right, across = _neighbours(image.shape[1], width)
    down, across = down[:, np.newaxis, np.newaxis], across[:, np.newaxis]
    upper = _between(image[np.ix_(above, left)], image[np.ix_(above, right)], across)
    lower = _between(image[np.ix_(below, left)], image[np.ix_(below, right)], across)
    return np.rint(_between(upper, lower, down)).astype(np.uint8)


def crop_bilinear(image: ImageArray, height: int, width: int) -> ImageArray:
    """Resize the centred box of the new proportions, in whole pixels, as `keras.utils.image_dataset_from_directory`.

    That is its crop_to_aspect_ratio. Source: `smart_resize`, in float32 for an image of unknown size.
    """
    box_height = min(image.shape[0], max(1, int(np.float32(image.shape[1] * height) / np.float32(width))))
    box_width = min(image.shape[1], max(1, int(np.float32(image.shape[0] * width) / np.float32(height))))
    top, left = (image.shape[0] - box_height) // 2, (image.shape[1] - box_width) // 2
    return resize_bilinear(image[top : top + box_height, left : left + box_width], height, width)


def pad_bilinear(image: ImageArray, height: int, width: int) -> ImageArray:
    """Resize in its own proportions and add black borders, as `keras.utils.image_dataset_from_directory`.

    That is its pad_to_aspect_ratio. Source: `tf.image.resize_with_pad`, which floors in float32.
    """
    own_height, own_width = np.float32(image.shape[0]), np.float32(image.shape[1])
    ratio = max(own_width / np.float32(width), own_height / np.float32(height))
    inner_height, inner_width = own_height / ratio, own_width / ratio
    top, left = max(0, int((height - inner_height) / 2)), max(0, int((width - inner_width) / 2))
    resized = resize_bilinear(image, max(1, int(inner_height)), max(1, int(inner_width)))
    canvas = np.zeros((height, width, image.shape[2]), np.uint8)
    canvas[top : top + resized.shape[0], left : left + resized.shape[1]] = resized[: height - top, : width - left]
    return canvas


def _neighbours(length: int, new_length: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Weights]:
    """Return the pixels before and after each new pixel's centre, and its distance from the first in [0, 1)."""
    scale = np.float32(length) / np.float32(new_length)
    centres = (np.arange(new_length, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    floor = np.floor(centres)
    before, after = (np.clip(edge.astype(np.int64), 0, length - 1) for edge in (floor, np.ceil(centres)))
    return before, after, centres - floor


def _between(first: Values, second: Values, weights: Weights) -> NDArray[np.float32]:
    start = first.astype(np.float32)
    result: NDArray[np.float32] = start + (second.astype(np.float32) - start) * weights
    return result
