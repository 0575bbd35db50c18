"""Decode BMP files whose pixels are bit fields of any layout. Source: Windows GDI, BITMAPV5HEADER.

Pillow reads some layouts of 8 and of 5 or 6 bits, and no transparency in 16 bits.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ImageError

HEADER = struct.Struct("<IiiHHI")  # its own size, width, height, planes, bits, compression
MASKS_AT, BIT_FIELDS, ALPHA_BIT_FIELDS = 54, 3, 6
SIZE_WITH_ALPHA = 56  # bytes of the first header that has a mask for transparency


@dataclass(frozen=True)
class BitFields:
    """The layout of a BMP's pixels."""

    width: int
    height: int
    """Negative if the first row is the uppermost."""
    bits: int
    start: int
    masks: tuple[int, ...]
    """Of red, green, blue and, if there is one, alpha."""


def read_bit_fields(content: bytes) -> BitFields | None:
    """Read the layout of a BMP with bit fields; None for any other BMP. Raises ImageError for masks that are none."""
    if len(content) < MASKS_AT + 16:
        return None
    size, width, height, _, bits, compression = HEADER.unpack_from(content, 14)
    if size < 40 or compression not in (BIT_FIELDS, ALPHA_BIT_FIELDS) or bits not in (16, 32):
        return None
    masks = struct.unpack_from("<4I", content, MASKS_AT)
    if not any(masks[:3]):
        return None  # Pillow knows what programs mean by it
    has_alpha = masks[3] and (size >= SIZE_WITH_ALPHA or compression == ALPHA_BIT_FIELDS)
    masks = masks if has_alpha else masks[:3]
    start = int.from_bytes(content[10:14], "little")
    if not all(_is_run(mask, bits) for mask in masks) or sum(masks) != np.bitwise_or.reduce(masks):
        raise ImageError(f"cannot be decoded: {', '.join(map(hex, masks))} are no bit fields of {bits} bits")
    if width <= 0 or not height:
        raise ImageError(f"cannot be decoded: its size is {width} x {height} pixels")
    return BitFields(width, height, bits, start, masks)


def _is_run(mask: int, bits: int) -> bool:
    """Return whether a mask is of bits that are next to each other."""
    lowest = mask & -mask
    return 0 < mask < 1 << bits and (mask + lowest) & mask == 0


def decode_bit_fields(content: bytes, fields: BitFields, top: int, bottom: int) -> NDArray[np.uint8]:
    """Decode rows from `top` to `bottom`, as shown: uint8 (rows, width, 3 or 4). Raises ImageError if they lack."""
    height, stride = abs(fields.height), (fields.width * fields.bits + 31) // 32 * 4
    first, last = (top, bottom) if fields.height < 0 else (height - bottom, height - top)
    stored = content[fields.start + first * stride : fields.start + last * stride]
    if len(stored) < (last - first) * stride:
        raise ImageError(f"cannot be decoded: it ends before its {height:,} rows")
    values = np.frombuffer(stored, f"<u{fields.bits // 8}").reshape(last - first, -1)[:, : fields.width]
    rows = values if fields.height < 0 else values[::-1]
    return np.stack([_channel(rows, mask) for mask in fields.masks], axis=-1)


def _channel(values: NDArray[np.uint16 | np.uint32], mask: int) -> NDArray[np.uint8]:
    lowest = mask & -mask
    most = mask // lowest
    channel = (values & values.dtype.type(mask)).astype(np.uint64) // np.uint64(lowest)
    return (channel * np.uint64(255) // np.uint64(most)).astype(np.uint8)
