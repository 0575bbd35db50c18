"""Decoding JPEGs as TensorFlow does, for networks trained on images that Keras read: with the fast integer DCT.

TensorFlow asks libjpeg for JDCT_IFAST, whose pixels differ by about 1 of 255 from those of the accurate one, and for
fancy upsampling of colours. Pillow offers the fast DCT only without that upsampling, so colours are taken as they are
stored and upsampled here. Source of the arithmetic: libjpeg's jdsample.c (fancy upsampling) and jdcolor.c.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rows = Callable[[int, int], NDArray[np.uint8]]
RGB_LETTERS = (82, 71, 66)  # identifiers of components that are not YCbCr
MIN_WIDTH = 3  # stored columns of a colour: below, libjpeg does not interpolate
SAMPLINGS = ((1, 1), (2, 1), (2, 2))  # columns and rows of brightness for each of a colour
FAST_WITHOUT_FANCY = (1, 1)  # Pillow's decoder configuration: full size; drafts take the fast DCT


def fast_rows(image: Image.Image) -> Rows | None:
    """Decode an opened JPEG and return its rows as TensorFlow gives them, uint8 (rows, width, 1 or 3).

    None, and nothing is decoded, for what is stored in another way than usual: the accurate decoder takes it then.
    """
    jpeg: Any = image  # Pillow's attributes of JPEGs have no types
    layers = getattr(jpeg, "layer", [])
    if image.format != "JPEG" or image.mode not in ("L", "RGB") or len(layers) not in (1, 3):
        return None
    across, down = (1, 1) if len(layers) == 1 else layers[0][1:3]
    narrow = -(-image.width // across) < MIN_WIDTH
    if (across, down) not in SAMPLINGS or any(layer[1:3] != (1, 1) for layer in layers[1:]) or narrow:
        return None
    if tuple(layer[0] for layer in layers) == RGB_LETTERS or image.info.get("adobe_transform") == 0:
        return None
    jpeg.draft("YCbCr" if len(layers) == 3 else "L", None)
    jpeg.decoderconfig = FAST_WITHOUT_FANCY
    image.load()
    stored = np.asarray(image)
    if stored.ndim == 2:
        return lambda top, bottom: stored[top:bottom, :, np.newaxis]
    blue, red = (np.ascontiguousarray(stored[::down, ::across, channel]) for channel in (1, 2))

    def rows(top: int, bottom: int) -> NDArray[np.uint8]:
        colours = [_upsampled(plane, top, bottom, (across, down))[:, : image.width] for plane in (blue, red)]
        return _to_rgb(stored[top:bottom, :, 0], *colours)

    return rows


def _upsampled(plane: NDArray[np.uint8], top: int, bottom: int, sampling: tuple[int, int]) -> NDArray[np.int32]:
    """Interpolate the rows from `top` to `bottom` of a colour, stored (h, w), to full size."""
    across, down = sampling
    numbers = np.arange(top, bottom)
    sums = plane[numbers // down].astype(np.int32)
    if down == 2:
        neighbours = np.clip(numbers // 2 + np.where(numbers % 2, 1, -1), 0, len(plane) - 1)
        sums = 3 * sums + plane[neighbours]
    if across == 1:
        return sums
    before = np.concatenate([sums[:, :1], sums[:, :-1]], axis=1)
    after = np.concatenate([sums[:, 1:], sums[:, -1:]], axis=1)
    shift, low, high = (4, 8, 7) if down == 2 else (2, 1, 2)
    pairs = np.stack([(3 * sums + before + low) >> shift, (3 * sums + after + high) >> shift], axis=2)
    return pairs.reshape(len(sums), -1)


def _to_rgb(brightness: NDArray[np.uint8], blue: NDArray[np.int32], red: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Convert YCbCr to RGB in libjpeg's fixed-point arithmetic of 16 bits."""
    light, blue, red = brightness.astype(np.int32), blue - 128, red - 128
    half = 1 << 15
    planes = (
        light + ((91881 * red + half) >> 16),
        light + ((-22554 * blue - 46802 * red + half) >> 16),
        light + ((116130 * blue + half) >> 16),
    )
    rgb: NDArray[np.uint8] = np.clip(np.stack(planes, axis=2), 0, 255).astype(np.uint8)
    return rgb
