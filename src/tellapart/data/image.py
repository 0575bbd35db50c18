"""THE decoder: bytes of an image file to an array. Training, prediction and HTTP all call it.

The result does not depend on the caller: orientation from EXIF is applied, transparent parts lie on white,
CMYK becomes RGB, 16 bits become 8, and of an animation the first frame counts. Limits are checked on the
header, before any pixel is decoded. Beside Pillow's own copy of a large image only the result is held.
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

# A JPEG with further images behind it (MPO) is opened by JPEG's name.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP") + (("AVIF",) if features.check("avif") else ())
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".avif")

MAX_RUN_LENGTH = 2_000_000  # bytes, and pixels, of a run-length BMP: Pillow decodes these in Python
STRIP_PIXELS = 1_000_000  # pixels that are brought to 8 bits at once

ImageFile.LOAD_TRUNCATED_IMAGES = False  # half an image is an error, never a grey lower half


@dataclass(frozen=True)
class Limits:
    """What an image may be at most, so that a hostile file costs little."""

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
        turned, array = _decoded(content, limits)
        return np.ascontiguousarray(turned(array))
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"not an image: not one of {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"too many pixels: at most {limits.pixels:,} in all are decoded") from error
    except Exception as error:  # a decoder that is fed strange bytes may raise anything
        raise ImageError(f"cannot be decoded: {str(error) or type(error).__name__}") from error


@dataclass(frozen=True)
class Header:
    """What a file says of itself beside its pixels."""

    format: str
    """One of FORMATS."""
    turned: bool
    """Whether EXIF says that it does not lie upright."""
    frames: int
    """More than 1 where it is animated; of a GIF of more than COUNTED bytes 2 stands for any such number."""


MAX_COUNTED_BYTES = 5_000_000  # Pillow walks through a GIF's frames in Python, of which a large file may have millions


def read_header(content: bytes) -> Header:
    """Look at a file that `decode` takes, without decoding it again."""
    _hush()
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        kind = (image.format or "").replace("MPO", "JPEG")  # its further images are no animation
        return Header(kind, _turn(image) is not _as_it_lies, 1 if kind == "JPEG" else _frames(image, len(content)))


def _frames(image: Image.Image, size: int) -> int:
    try:
        if size > MAX_COUNTED_BYTES and image.format == "GIF":
            return 1 + bool(getattr(image, "is_animated", False))
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a later frame is broken: the first is still good, and it is the one that counts
        return 1


def _decoded(content: bytes, limits: Limits) -> tuple[Callable[[ImageArray], ImageArray], ImageArray]:
    """Give how to turn the image upright, and the image as it lies; Pillow's own copy is gone by then."""
    _hush()
    require_sane_structure(content)
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        _require_small(image, len(content), limits)
        image.load()
        return _turn(image), _array(image)


def _require_small(image: Image.Image, size: int, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.pixels:
        raise ImageError(f"{width:,} x {height:,} pixels, at most {limits.pixels:,} in all are decoded")
    tiles = getattr(image, "tile", ())
    if tiles and tiles[0].codec_name == "bmp_rle" and max(width * height, size) > MAX_RUN_LENGTH:
        raise ImageError(
            f"a run-length BMP of {width:,} x {height:,} pixels in {size:,} bytes, at most {MAX_RUN_LENGTH:,} of "
            f"either are decoded"
        )


# What Pillow warns of is either refused here with a sentence (size) or harmless to the pixels (bad EXIF).
HUSHED = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def _hush() -> None:
    # Put in place and left there: `warnings.catch_warnings` is not safe while other threads decode.
    if warnings.filters[0] != HUSHED:
        warnings.filterwarnings("ignore", module=r"PIL\.")


# EXIF tag 0x0112 says how the camera was held; 1 is upright. Source: Exif 2.32, 4.6.4 A.
ORIENTATION_TAG = 0x0112
TURNS: dict[int, Callable[[ImageArray], ImageArray]] = {
    2: lambda array: array[:, ::-1],
    3: lambda array: array[::-1, ::-1],
    4: lambda array: array[::-1],
    5: lambda array: array.transpose(1, 0, 2),
    6: lambda array: np.rot90(array, -1),
    7: lambda array: array[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}


def _as_it_lies(array: ImageArray) -> ImageArray:
    return array


def _turn(image: Image.Image) -> Callable[[ImageArray], ImageArray]:
    try:
        return TURNS.get(image.getexif().get(ORIENTATION_TAG, 1), _as_it_lies)
    except Exception:  # unreadable EXIF: the pixels are still good, so they are taken as they lie
        return _as_it_lies


def _array(image: Image.Image) -> ImageArray:
    """Bring an image to 8 bits, strip by strip: a whole one in between would take its memory once more."""
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width)
    if rows >= height:
        return _deep(image)
    first = _deep(image.crop((0, 0, width, rows)))
    array = np.empty((height, width, first.shape[2]), np.uint8)
    for top in range(0, height, rows):
        array[top : top + rows] = _deep(image.crop((0, top, width, min(top + rows, height))))
    return array


def _deep(image: Image.Image) -> ImageArray:
    """As uint8 (height, width, 1 or 3)."""
    array = np.asarray(_plain(image))
    return array[:, :, np.newaxis] if array.ndim == 2 else array


def _plain(image: Image.Image) -> Image.Image:
    """Bring an image to 8 bits, in mode L or RGB."""
    if image.mode.startswith("I"):
        return _narrowed(image)
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _narrowed(image: Image.Image) -> Image.Image:
    """16 bits of grey to 8: the high byte, as Pillow itself does with 16-bit RGB."""
    wide = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
    narrow = np.where(wide == image.info.get("transparency"), 255, wide >> 8)
    return Image.fromarray(narrow.astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    grey = image.mode in ("1", "L", "LA", "La")
    seen = image.convert("RGBA")
    white = Image.new("RGBA", seen.size, "white")
    return Image.alpha_composite(white, seen).convert("L" if grey else "RGB")
