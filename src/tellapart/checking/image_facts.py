"""What one image tells of itself: its format, size and spread, and what a near copy of it would share."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.image import Header, ImageArray, decode, header
from tellapart.data.preprocessing import to_image
from tellapart.errors import ImageError, require

Thumbnail = NDArray[np.uint8]
"""uint8 (32, 32): the upright image in grey, squeezed into a square."""
Colour = tuple[float, float, float]
"""Red, green and blue, 0 to 255."""
SIDE = 32  # pixels of a thumbnail: four times the 8 frequencies that the perceptual hash keeps each way
SMALLEST = 64  # pixels of the shorter side; below, an image holds too little to tell a copy from a likeness
VERSION = 1  # counted up whenever other facts come of the same bytes: the cache keeps them under it


@dataclass(frozen=True, eq=False)
class Facts:
    """One image, examined."""

    format: str
    """One of `data.image.FORMATS`; "" where the image came in an array."""
    width: int
    """In pixels, upright."""
    height: int
    turned: bool
    """Whether EXIF says that it does not lie upright in its file."""
    frames: int
    """More than 1 where it is animated."""
    spread: float
    """Standard deviation of its grey values, 0 to 127.5: near 0 where it is blank."""
    hash: int
    """Perceptual hash, 64 bits; 0 where a side is shorter than SMALLEST."""
    mirrored: int
    """The perceptual hash of its mirror image."""
    small: Thumbnail = field(repr=False)
    """All 0 where a side is shorter than SMALLEST."""
    colour: Colour = (0.0, 0.0, 0.0)
    """The mean over the thumbnail, so also black where a side is shorter than SMALLEST."""


IN_AN_ARRAY = Header("", turned=False, frames=1)
NOTHING = np.zeros((SIDE, SIDE), np.uint8)
NOTHING.flags.writeable = False  # all small images share it


def tells(width: int, height: int) -> bool:
    """Whether an image of this size holds enough to have a hash and a thumbnail."""
    return min(width, height) >= SMALLEST


def examine(content: bytes) -> Facts:
    """Decode an image file fully and look at it. Raises ImageError."""
    return measure(decode(content), header(content))


def measure(image: ImageArray, head: Header = IN_AN_ARRAY) -> Facts:
    """Look at an image, uint8 (h, w, 1 or 3). Raises ImageError when it is empty."""
    height, width = image.shape[:2]
    if height * width == 0:
        raise ImageError(f"the image is empty: its shape is {image.shape}")
    pil_image = to_image(image)
    grey = pil_image.convert("L")
    known = (head.format, width, height, head.turned, head.frames, _spread(grey))
    if not tells(width, height):
        return Facts(*known, 0, 0, NOTHING)
    thumbnail = pil_image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    small = thumbnail.convert("L")
    mirror = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return Facts(*known, _hash(small), _hash(mirror), np.asarray(small), _colour(thumbnail))


def _spread(grey: Image.Image) -> float:
    counts = np.array(grey.histogram(), np.float64)
    values = np.arange(256)
    mean = counts @ values / counts.sum()
    return float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))


def _colour(thumbnail: Image.Image) -> Colour:
    red, green, blue = np.asarray(thumbnail.convert("RGB")).reshape(-1, 3).mean(axis=0).tolist()
    return red, green, blue


def _hash(small: Image.Image) -> int:
    """Which of the 8 x 8 lowest frequencies lie above their median, as 64 bits; of an image of SIDE pixels."""
    bits = require("imagehash", extra="train").phash(small).hash
    return int.from_bytes(np.packbits(bits).tobytes())
