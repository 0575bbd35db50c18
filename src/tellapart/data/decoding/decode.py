"""Decode image files to arrays. Training, prediction and HTTP all use this decoder.

EXIF orientation is applied, transparency is blended with white, CMYK becomes RGB, 16 bits become 8, and an animation
gives its first frame, a document its first page. An image of more than `REDUCED_ABOVE` pixels is reduced, as far as
possible while it is decoded. Limits are checked on the header, before any pixel is decoded.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from tellapart.data.decoding.bmp_bitfields import read_bit_fields
from tellapart.data.decoding.container_limits import require_sane_structure
from tellapart.data.decoding.conversion import USUAL, Conversion, ImageArray
from tellapart.data.decoding.decode_limits import (
    Limits,
    allow_in_pillow,
    own_limits,
    reduction,
    require_affordable,
    require_within_limits,
)
from tellapart.data.decoding.fast_jpeg import fast_rows
from tellapart.data.decoding.formats import FORMATS, format_of, other_format_of
from tellapart.data.decoding.pixel_rows import bit_field_rows, grey_16, pillow_rows, ppm_rows, to_array
from tellapart.data.decoding.tiff_limits import count_pages
from tellapart.errors import ImageError, TellapartError
from tellapart.silence import silence_pillow

WIDE_FORMATS = ("PNG", "TIFF", "JPEG2000")  # that may have 16 bits and do not say which value is white
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # a TIFF tag, and its value where the largest number is black

ImageFile.LOAD_TRUNCATED_IMAGES = False  # a truncated image is an error, not an image with a grey lower half


def decode(content: bytes, *, limits: Limits | None = None, conversion: Conversion = USUAL) -> ImageArray:
    """Decode an image file of one of FORMATS; `limits` defaults to those for a person's own files.

    Returns uint8 (height, width, 3), or (height, width, 1) for a grey image. Raises ImageError.
    """
    limits = limits or own_limits()
    with _image_errors(content, limits):
        orient, array = _decode(content, limits, conversion)
        return np.ascontiguousarray(orient(array))


def read_wide(content: bytes, *, limits: Limits | None = None) -> NDArray[np.uint16] | None:
    """Decode 16-bit grey as it is stored: uint16 (height, width); None for any other image. Raises ImageError.

    A PPM says itself which value is white, so that it is none.
    """
    limits = limits or own_limits()
    with _image_errors(content, limits):
        _ignore_pillow_warnings()
        allow_in_pillow(limits)
        kind = _known_format(content)
        require_sane_structure(content)
        if kind not in WIDE_FORMATS:
            return None
        with _open(content, kind) as image:
            if not image.mode.startswith("I"):
                return None
            require_within_limits(*image.size, limits)
            require_affordable(image, content, limits)
            _load(image)
            return grey_16(image)


@contextmanager
def _image_errors(content: bytes, limits: Limits) -> Iterator[None]:
    """Refuse a file that is empty or too large, and turn whatever a decoder raises into an ImageError."""
    if len(content) > limits.bytes:
        raise ImageError(f"the file has {len(content):,} bytes, at most {limits.bytes:,} are read")
    if not content:
        raise ImageError("the file is empty: it has 0 bytes")
    try:
        yield
    except TellapartError:
        raise
    except UnidentifiedImageError as error:
        kind = format_of(content)  # known: other files are refused before Pillow sees them
        raise ImageError(f"cannot be decoded: it begins as {kind}, and its header is damaged") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"too many pixels: at most {limits.pixels:,} in all are decoded") from error
    except Exception as error:  # a decoder may raise anything on malformed bytes
        raise ImageError(f"cannot be decoded: {str(error).strip() or type(error).__name__}") from error


def from_pillow(image: Image.Image, conversion: Conversion = USUAL) -> ImageArray:
    """Convert a Pillow image as `decode` does its file: the current frame, upright, without transparency, 8 bits each.

    Returns uint8 (height, width, 1 or 3). Raises ImageError where its file can no longer be read.
    """
    if not (image.width and image.height):
        raise ImageError(f"the image is empty: its size is {image.width} x {image.height} pixels")
    try:
        image.load()
        factor = reduction(*image.size)
        return np.array(_orientation(image)(to_array(*image.size, pillow_rows(image, conversion), factor)), order="C")
    except Exception as error:  # a file that was closed, or whose pixels are damaged
        raise ImageError(f"cannot be decoded: {str(error).strip() or type(error).__name__}") from error


@dataclass(frozen=True)
class Header:
    """Properties of an image file other than its pixels."""

    format: str
    """One of FORMATS."""
    turned: bool
    """True if EXIF orientation is other than upright."""
    frames: int
    """More than 1 if animated, or of several pages; 2 for any animated GIF of more than MAX_COUNTED_BYTES."""


MAX_COUNTED_BYTES = 5_000_000  # Pillow counts a GIF's frames in Python; a large file may have millions


def read_header(content: bytes) -> Header:
    """Read the header of a file that `decode` accepts, without decoding its pixels."""
    _ignore_pillow_warnings()
    kind = _known_format(content)
    if kind == "BMP" and read_bit_fields(content):
        return Header(kind, turned=False, frames=1)
    with _open(content, kind) as image:
        return Header(kind, _orientation(image) is not _upright, _count_frames(image, content))


def _count_frames(image: Image.Image, content: bytes) -> int:
    try:
        if image.format in ("JPEG", "MPO"):
            return 1  # its further images are not an animation
        if image.format == "TIFF":
            return count_pages(content)
        if len(content) > MAX_COUNTED_BYTES and image.format == "GIF":
            return 1 + bool(getattr(image, "is_animated", False))
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a later frame is broken: the first, which is used, may still be good
        return 1


def _known_format(content: bytes) -> str:
    """Return the format of a file by its first bytes, one of FORMATS. Raises ImageError."""
    kind = format_of(content)
    if kind in FORMATS:
        return kind
    if other := other_format_of(content):
        raise ImageError(other.refusal)
    raise ImageError(f"not an image: not one of {', '.join(FORMATS)}")


def _open(content: bytes, kind: str) -> ImageFile.ImageFile:
    if kind == "HEIF":
        _register_heif()
    if kind == "TIFF":
        silence_pillow()
    return Image.open(io.BytesIO(content), formats=(kind,))


@cache
def _register_heif() -> None:
    """Let Pillow open HEIC photos. In one thread each, since images are decoded in several threads as it is."""
    import_module("pillow_heif").register_heif_opener(
        thumbnails=False, depth_images=False, aux_images=False, decode_threads=1
    )


def _decode(
    content: bytes, limits: Limits, conversion: Conversion
) -> tuple[Callable[[ImageArray], ImageArray], ImageArray]:
    """Return a function that turns the image upright, and the image as stored; Pillow's own copy is freed."""
    _ignore_pillow_warnings()
    allow_in_pillow(limits)
    kind = _known_format(content)
    require_sane_structure(content)
    if kind == "BMP" and (fields := read_bit_fields(content)):
        width, height = fields.width, abs(fields.height)
        require_within_limits(width, height, limits)
        return _upright, to_array(width, height, bit_field_rows(content, fields, conversion), reduction(width, height))
    with _open(content, kind) as image:
        require_within_limits(*image.size, limits)
        require_affordable(image, content, limits)
        if kind == "PPM" and image.tile[0].codec_name == "ppm":
            return _upright, to_array(*image.size, ppm_rows(image, content), reduction(*image.size))
        if conversion.fast_jpeg and reduction(*image.size) == 1 and (rows := fast_rows(image)):
            return _orientation(image), to_array(*image.size, rows)
        factor = _load(image)
        require_within_limits(*image.size, limits)  # a HEIC may turn out to be larger
        return _orientation(image), to_array(*image.size, pillow_rows(image, conversion), factor)


def _load(image: ImageFile.ImageFile) -> int:
    """Decode an image, a large JPEG at its reduced size; returns by how much it is still to be reduced."""
    (width, height), factor = image.size, reduction(*image.size)
    if factor > 1 and image.format in ("JPEG", "MPO"):
        image.draft(None, (width // factor, height // factor))
        factor = 1
    if image.format == "TIFF" and image.mode.startswith("I"):
        image.info["inverted"] = getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO
    image.load()
    return factor


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
