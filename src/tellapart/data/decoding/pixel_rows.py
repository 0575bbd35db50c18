"""Rows of a decoded image as 8 bits without transparency, strip by strip: a whole copy would double the memory."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from tellapart.data.decoding.bmp_bitfields import BitFields, decode_bit_fields
from tellapart.data.decoding.conversion import USUAL, Conversion, ImageArray
from tellapart.errors import ImageError

Rows = Callable[[int, int], ImageArray]
"""Decodes or converts the rows from one number to another: uint8 (rows, width, 1 or 3)."""
STRIP_PIXELS = 1_000_000  # pixels converted to 8 bits at a time


def to_array(width: int, height: int, rows: Rows, factor: int = 1) -> ImageArray:
    """Return all rows, reduced by a whole factor."""
    step = max(1, STRIP_PIXELS // width // factor) * factor
    if step >= height:
        return _reduced(rows(0, height), factor)
    first = _reduced(rows(0, step), factor)
    array = np.empty((-(-height // factor), *first.shape[1:]), np.uint8)
    for top in range(0, height, step):
        strip = _reduced(rows(top, min(top + step, height)), factor) if top else first
        array[top // factor : top // factor + len(strip)] = strip
    return array


def _reduced(array: ImageArray, factor: int) -> ImageArray:
    """Average squares of `factor` x `factor` pixels; fewer at the right and lower border."""
    if factor == 1:
        return array
    return _with_channels(
        np.asarray(Image.fromarray(array.squeeze(2) if array.shape[2] == 1 else array).reduce(factor))
    )


def _with_channels(array: ImageArray) -> ImageArray:
    return array[:, :, np.newaxis] if array.ndim == 2 else array


def pillow_rows(image: Image.Image, conversion: Conversion) -> Rows:
    """Return a function that converts the rows of an image that Pillow has decoded."""

    def rows(top: int, bottom: int) -> ImageArray:
        whole = (top, bottom) == (0, image.height)
        return _strip_array(image if whole else image.crop((0, top, image.width, bottom)), conversion, top)

    return rows


def _strip_array(image: Image.Image, conversion: Conversion, top: int) -> ImageArray:
    """Convert to uint8 (height, width, 1 or 3)."""
    return _with_channels(np.asarray(_to_8_bits(image, conversion, top)))


def _to_8_bits(image: Image.Image, conversion: Conversion, top: int) -> Image.Image:
    """Convert an image to mode L or RGB."""
    if image.mode.startswith("I"):
        return Image.fromarray(conversion.narrow(grey_16(image), image.info.get("transparency")))
    if image.has_transparency_data:
        return conversion.on_background(image, top)
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def grey_16(image: Image.Image) -> NDArray[np.uint16]:
    """Return the values of 16-bit grey, uint16 (height, width), white the largest. Raises ImageError if any is below 0.

    Values of fewer bits stay as they are: 12 bits reach 4,095.
    """
    wide = np.asarray(image)
    if wide.dtype.kind == "i" and int(wide.min()) < 0:
        raise ImageError("cannot be decoded: it has values below 0: move them to the range of 16 bits without a sign")
    values: NDArray[np.uint16] = np.minimum(wide, 65535).astype(np.uint16)
    if image.info.get("inverted"):
        values = np.uint16(65535) - values
    return values


def bit_field_rows(content: bytes, fields: BitFields, conversion: Conversion) -> Rows:
    """Return a function that decodes the rows of a BMP of bit fields."""

    def rows(top: int, bottom: int) -> ImageArray:
        return _strip_array(Image.fromarray(decode_bit_fields(content, fields, top, bottom)), conversion, top)

    return rows


def ppm_rows(image: ImageFile.ImageFile, content: bytes) -> Rows:
    """Decode the rows of a PPM whose largest value is not 255, as Pillow does it in Python, pixel by pixel."""
    tile = image.tile[0]
    start, largest = tile.offset, int(tile.args[1])  # type: ignore[index]
    dtype, most = (np.dtype(">u2" if largest > 255 else "u1"), 65535 if image.mode == "I" else 255)
    shape = (image.width, 1 if image.mode == "I" else len(image.getbands()))
    stride = dtype.itemsize * shape[0] * shape[1]

    def rows(top: int, bottom: int) -> ImageArray:
        stored = content[start + top * stride : start + bottom * stride]
        if len(stored) < (bottom - top) * stride:
            raise ImageError("cannot be decoded: it ends before its last row")
        values = np.frombuffer(stored, dtype).reshape(bottom - top, *shape)
        scaled = np.minimum(np.rint(values / largest * most), most).astype(np.uint16)
        if image.mode == "I":
            return _with_channels(USUAL.narrow(scaled[:, :, 0]))
        return scaled.astype(np.uint8)

    return rows
