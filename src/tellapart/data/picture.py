"""THE decoder: bytes of a picture file to an array. Training, prediction and HTTP all call it.

The result does not depend on the caller: orientation from EXIF is applied, transparent parts lie on white,
CMYK becomes RGB, 16 bits become 8, and of an animation the first frame counts. Limits are checked on the
header, before any pixel is decoded.
"""

import io
import re
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError, features

from tellapart.errors import PictureError

Picture = NDArray[np.uint8]
"""uint8 (height, width, channels), 1 channel for grey or 3 for RGB."""

# A JPEG with further pictures behind it (MPO) is opened by JPEG's name.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP") + (("AVIF",) if features.check("avif") else ())
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".avif")

ImageFile.LOAD_TRUNCATED_IMAGES = False  # half a picture is an error, never a grey lower half


@dataclass(frozen=True)
class Limits:
    """What a picture may be at most, so that a hostile file costs little."""

    bytes: int = 50_000_000
    pixels: int = 50_000_000


LIMITS = Limits()


def decode(content: bytes, *, limits: Limits = LIMITS) -> Picture:
    """Decode a JPEG, PNG, WebP, GIF, BMP or AVIF file.

    Returns uint8 (height, width, 3), or (height, width, 1) for a grey picture. Raises PictureError.
    """
    if len(content) > limits.bytes:
        raise PictureError(f"the file has {len(content):,} bytes, at most {limits.bytes:,} are read")
    if not content:
        raise PictureError("the file is empty: it has 0 bytes")
    try:
        return _decoded(content, limits)
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError(f"not a picture: not one of {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"too many pixels: at most {limits.pixels:,} in all are decoded") from error
    except Exception as error:  # a decoder that is fed strange bytes may raise anything
        raise PictureError(f"cannot be decoded: {str(error) or type(error).__name__}") from error


def _decoded(content: bytes, limits: Limits) -> Picture:
    _hush()
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width, height = image.size
        if width * height > limits.pixels:
            raise PictureError(f"{width:,} x {height:,} pixels, at most {limits.pixels:,} in all are decoded")
        image.load()
        array = np.asarray(_plain(_upright(image)))
    return array[:, :, np.newaxis] if array.ndim == 2 else array


# What Pillow warns of is either refused here with a sentence (size) or harmless to the pixels (bad EXIF).
HUSHED = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def _hush() -> None:
    # Put in place and left there: `warnings.catch_warnings` is not safe while other threads decode.
    if warnings.filters[0] != HUSHED:
        warnings.filterwarnings("ignore", module=r"PIL\.")


# EXIF tag 0x0112 says how the camera was held; 1 is upright. Source: Exif 2.32, 4.6.4 A.
ORIENTATION_TAG = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:  # unreadable EXIF: the pixels are still good, so they are taken as they lie
        turn = None
    return image if turn is None else image.transpose(turn)


def _plain(image: Image.Image) -> Image.Image:
    """Bring a picture to 8 bits, in mode L or RGB."""
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
