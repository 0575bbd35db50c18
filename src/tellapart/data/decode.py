"""Decode image files to arrays. Training, prediction and HTTP all use this decoder.

EXIF orientation is applied, transparency is blended with white, CMYK becomes RGB, 16 bits become 8, and an animation
gives its first frame. Limits are checked on the header, before any pixel is decoded. A large image is in memory only
twice: as Pillow's copy and as the result.
"""

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError, features

from tellapart.data.container_limits import require_sane_structure
from tellapart.errors import ImageError

ImageArray = NDArray[np.uint8]
"""uint8 (height, width, channels), 1 channel for grey or 3 for RGB."""

# Pillow opens a JPEG that is followed by more images (MPO) as JPEG.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP") + (("AVIF",) if features.check("avif") else ())
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".avif")

MAX_RUN_LENGTH = 2_000_000  # bytes, and pixels, of a run-length BMP: Pillow decodes these in Python
STRIP_PIXELS = 1_000_000  # pixels converted to 8 bits at a time

ImageFile.LOAD_TRUNCATED_IMAGES = False  # a truncated image is an error, not an image with a grey lower half


@dataclass(frozen=True)
class Limits:
    """Maximum size of an image, to bound the cost of a hostile file."""

    bytes: int = 50_000_000
    pixels: int = 50_000_000


LIMITS = Limits()


def decode(content: bytes, *, limits: Limits = LIMITS) -> ImageArray:
    """Decode a JPEG, PNG, WebP, GIF, BMP or AVIF file.

    Returns uint8 (height, width, 3), or (height, width, 1) for a grey image. Raises ImageError.
    """
    if len(content) > limits.bytes:
        raise ImageError(f"the file has {len(content):,} bytes, at most {limits.bytes:,} are read")
    if not content:
        raise ImageError("the file is empty: it has 0 bytes")
    try:
        orient, array = _decode(content, limits)
        return np.ascontiguousarray(orient(array))
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"not an image: not one of {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"too many pixels: at most {limits.pixels:,} in all are decoded") from error
    except Exception as error:  # a decoder may raise anything on malformed bytes
        raise ImageError(f"cannot be decoded: {str(error) or type(error).__name__}") from error


@dataclass(frozen=True)
class Header:
    """Properties of an image file other than its pixels."""

    format: str
    """One of FORMATS."""
    turned: bool
    """True if EXIF orientation is other than upright."""
    frames: int
    """More than 1 if animated; 2 for any animated GIF of more than MAX_COUNTED_BYTES."""


MAX_COUNTED_BYTES = 5_000_000  # Pillow counts a GIF's frames in Python; a large file may have millions


def read_header(content: bytes) -> Header:
    """Read the header of a file that `decode` accepts, without decoding its pixels."""
    _ignore_pillow_warnings()
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        kind = (image.format or "").replace("MPO", "JPEG")  # its further images are not an animation
        frames = 1 if kind == "JPEG" else _count_frames(image, len(content))
        return Header(kind, _orientation(image) is not _upright, frames)


def _count_frames(image: Image.Image, size: int) -> int:
    try:
        if size > MAX_COUNTED_BYTES and image.format == "GIF":
            return 1 + bool(getattr(image, "is_animated", False))
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a later frame is broken: the first, which is used, may still be good
        return 1


def _decode(content: bytes, limits: Limits) -> tuple[Callable[[ImageArray], ImageArray], ImageArray]:
    """Return a function that turns the image upright, and the image as stored; Pillow's own copy is freed."""
    _ignore_pillow_warnings()
    require_sane_structure(content)
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        _require_within_limits(image, len(content), limits)
        image.load()
        return _orientation(image), _to_array(image)


def _require_within_limits(image: Image.Image, size: int, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.pixels:
        raise ImageError(f"{width:,} x {height:,} pixels, at most {limits.pixels:,} in all are decoded")
    tiles = getattr(image, "tile", ())
    if tiles and tiles[0].codec_name == "bmp_rle" and max(width * height, size) > MAX_RUN_LENGTH:
        raise ImageError(
            f"a run-length BMP of {width:,} x {height:,} pixels in {size:,} bytes, at most {MAX_RUN_LENGTH:,} of "
            f"either are decoded"
        )


# Pillow warns of what is either an ImageError here (size) or harmless to the pixels (bad EXIF).
IGNORED_WARNINGS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def _ignore_pillow_warnings() -> None:
    # Installed for good: `warnings.catch_warnings` is not safe while other threads decode.
    if warnings.filters[0] != IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", module=r"PIL\.")


# EXIF tag 0x0112 is the orientation of the camera; 1 is upright. Source: Exif 2.32, 4.6.4 A.
ORIENTATION_TAG = 0x0112
ORIENTATIONS: dict[int, Callable[[ImageArray], ImageArray]] = {
    2: lambda array: array[:, ::-1],
    3: lambda array: array[::-1, ::-1],
    4: lambda array: array[::-1],
    5: lambda array: array.transpose(1, 0, 2),
    6: lambda array: np.rot90(array, -1),
    7: lambda array: array[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}


def _upright(array: ImageArray) -> ImageArray:
    return array


def _orientation(image: Image.Image) -> Callable[[ImageArray], ImageArray]:
    try:
        return ORIENTATIONS.get(image.getexif().get(ORIENTATION_TAG, 1), _upright)
    except Exception:  # unreadable EXIF: the pixels are still good
        return _upright


def _to_array(image: Image.Image) -> ImageArray:
    """Convert an image to 8 bits, strip by strip, since a whole intermediate copy would double the memory."""
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width)
    if rows >= height:
        return _strip_array(image)
    first = _strip_array(image.crop((0, 0, width, rows)))
    array = np.empty((height, width, first.shape[2]), np.uint8)
    for top in range(0, height, rows):
        array[top : top + rows] = _strip_array(image.crop((0, top, width, min(top + rows, height))))
    return array


def _strip_array(image: Image.Image) -> ImageArray:
    """Convert to uint8 (height, width, 1 or 3)."""
    array = np.asarray(_to_8_bits(image))
    return array[:, :, np.newaxis] if array.ndim == 2 else array


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Convert an image to mode L or RGB."""
    if image.mode.startswith("I"):
        return _grey_16_to_8(image)
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _grey_16_to_8(image: Image.Image) -> Image.Image:
    """Convert 16-bit grey to 8 bits by its high byte, as Pillow does with 16-bit RGB."""
    wide = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
    narrow = np.where(wide == image.info.get("transparency"), 255, wide >> 8)
    return Image.fromarray(narrow.astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    grey = image.mode in ("1", "L", "LA", "La")
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("L" if grey else "RGB")
