"""Facts of one image: its format, size and contrast, and the hash and thumbnail that near-duplicates share."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.decoding.conversion import USUAL, Conversion, ImageArray
from tellapart.data.decoding.decode import Header, decode, read_header
from tellapart.data.preprocessing import to_image
from tellapart.errors import ImageError, require

Thumbnail = NDArray[np.uint8]
"""uint8 (32, 32): the upright image in grey, squeezed into a square."""
MeanColour = tuple[float, float, float]
"""Red, green and blue, 0 to 255."""
THUMBNAIL_SIDE = 32  # pixels: four times the 8 frequencies that the perceptual hash keeps in each direction
MIN_SIDE = 64  # pixels of the shorter side; a smaller image has too little detail to identify a near-duplicate
VERSION = 1  # incremented whenever the same bytes give other facts: the cache stores them under it


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """The facts of one image."""

    format: str
    """One of `data.formats.FORMATS`; "" for an image in an array."""
    width: int
    """In pixels, upright."""
    height: int
    turned: bool
    """Whether EXIF rotates or mirrors it."""
    frames: int
    """More than 1 for an animation."""
    spread: float
    """Standard deviation of its grey values, 0 to 127.5: near 0 for a blank image."""
    hash: int
    """Perceptual hash, 64 bits; 0 where a side is shorter than MIN_SIDE."""
    mirrored: int
    """The perceptual hash of its mirror image."""
    small: Thumbnail = field(repr=False)
    """All 0 where a side is shorter than MIN_SIDE."""
    colour: MeanColour = (0.0, 0.0, 0.0)
    """The mean over the thumbnail; black where a side is shorter than MIN_SIDE."""


ARRAY_HEADER = Header("", turned=False, frames=1)
EMPTY_THUMBNAIL = np.zeros((THUMBNAIL_SIDE, THUMBNAIL_SIDE), np.uint8)
EMPTY_THUMBNAIL.flags.writeable = False  # shared by all small images


def is_large_enough(width: int, height: int) -> bool:
    """Return whether an image of this size gets a hash and a thumbnail."""
    return min(width, height) >= MIN_SIDE


def examine_file(content: bytes, conversion: Conversion = USUAL) -> ImageFacts:
    """Decode the bytes of an image file and measure its facts. Raises ImageError."""
    return measure_facts(decode(content, conversion=conversion), read_header(content))


def measure_facts(image: ImageArray, head: Header = ARRAY_HEADER) -> ImageFacts:
    """Measure the facts of an image, uint8 (h, w, 1 or 3). Raises ImageError when it is empty."""
    height, width = image.shape[:2]
    if height * width == 0:
        raise ImageError(f"the image is empty: its shape is {image.shape}")
    pil_image = to_image(image)
    grey = pil_image.convert("L")
    basics = (head.format, width, height, head.turned, head.frames, _spread(grey))
    if not is_large_enough(width, height):
        return ImageFacts(*basics, 0, 0, EMPTY_THUMBNAIL)
    thumbnail = pil_image.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    small = thumbnail.convert("L")
    mirror = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return ImageFacts(
        *basics, _perceptual_hash(small), _perceptual_hash(mirror), np.asarray(small), _mean_colour(thumbnail)
    )


def _spread(grey: Image.Image) -> float:
    counts = np.array(grey.histogram(), np.float64)
    values = np.arange(256)
    mean = counts @ values / counts.sum()
    return float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))


def _mean_colour(thumbnail: Image.Image) -> MeanColour:
    red, green, blue = np.asarray(thumbnail.convert("RGB")).reshape(-1, 3).mean(axis=0).tolist()
    return red, green, blue


def _perceptual_hash(small: Image.Image) -> int:
    """Compare the 8 x 8 lowest frequencies of a thumbnail with their median, as 64 bits."""
    bits = require("imagehash", extra="train").phash(small).hash
    return int.from_bytes(np.packbits(bits).tobytes())
