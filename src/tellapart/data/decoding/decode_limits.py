"""Limits on what decoding an image may cost, checked on its header, before any pixel is decoded.

The memory that decoding takes is estimated from the format, since decoders differ by a factor of twenty: for each pixel
a JPEG takes 4 bytes, a WebP 16, a JPEG 2000 file 24. It may also not be out of all proportion to the file: 40 bytes are
a valid WebP of 49 million pixels.
"""

import os
from dataclasses import dataclass

from PIL import Image, ImageFile

from tellapart.data.decoding.container_limits import whole_image_coefficients
from tellapart.errors import ImageError, TellapartError

MAX_PIXELS = "TELLAPART_MAX_PIXELS"  # an environment variable, which processes and jobs that this one starts inherit
MAX_SIDE = 65_500  # pixels; the longest side of a JPEG. Longer ones cost memory for each row, whatever their width
MAX_RUN_LENGTH = 2_000_000  # bytes, and values, of a run-length BMP or a PPM in digits: Pillow decodes these in Python
SERVICE_PIXELS = 50_000_000  # a service's limit, where its operator sets no other
REDUCED_ABOVE = 50_000_000  # pixels: a larger image is decoded at a half, a quarter or an eighth of its size
FREE_MEMORY = 256_000_000  # bytes that even the smallest file may take
MEMORY_PER_BYTE = 2_000  # bytes of memory for each byte of the file; deflate, at most 1032:1, makes 2,400 of one
BYTES_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""Bytes that Pillow keeps for each pixel of a mode, where it is not 4."""


@dataclass(frozen=True)
class Limits:
    """Maximum size of an image, to bound the cost of a hostile file. The defaults are for a person's own files."""

    bytes: int = 500_000_000
    pixels: int = 200_000_000
    """Phones make up to 200 million."""

    @property
    def memory(self) -> int:
        """Bytes that decoding may take: 8 for each pixel, which is what most formats need."""
        return max(FREE_MEMORY, 8 * self.pixels)


def own_limits() -> Limits:
    """Return the limits for a person's own files; `MAX_PIXELS` overrides that on pixels. Raises TellapartError."""
    value = os.environ.get(MAX_PIXELS)
    if value is None:
        return Limits()
    if not value.isdecimal() or not 1 <= int(value) <= 2**31:
        raise TellapartError(
            f"{MAX_PIXELS} is {value!r}; expected a number of pixels, 1 to 2 billion: change it, or leave it out"
        )
    return Limits(pixels=int(value))


def reduction(width: int, height: int) -> int:
    """Return the factor by which an image is reduced when it is decoded: 1, 2, 4 or 8.

    It depends on the size alone, so that an image has the same pixels wherever it is decoded.
    """
    factors = (factor for factor in (1, 2, 4) if width * height <= REDUCED_ABOVE * factor**2)
    return next(factors, 8)


def allow_in_pillow(limits: Limits) -> None:
    """Raise Pillow's own limit on pixels, 179 million for the whole process, where it is lower than ours."""
    if Image.MAX_IMAGE_PIXELS is not None and limits.pixels > 2 * Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = (limits.pixels + 1) // 2  # it refuses what has more than twice as many


def require_within_limits(width: int, height: int, limits: Limits) -> None:
    """Refuse an image of too many pixels, or too long a side. Raises ImageError."""
    size = f"{width:,} x {height:,} pixels"
    if width * height > limits.pixels:
        raise ImageError(f"{size}, at most {limits.pixels:,} in all are decoded")
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"{size}, at most {MAX_SIDE:,} along a side are decoded")


def require_affordable(image: ImageFile.ImageFile, content: bytes, limits: Limits) -> None:
    """Refuse an opened image that would take too much memory or time to decode. Raises ImageError."""
    needed, allowed = decoding_memory(image, content), FREE_MEMORY + MEMORY_PER_BYTE * len(content)
    if needed > min(limits.memory, allowed):
        limit = f"at most {limits.memory / 1e6:,.0f} MB are used"
        if allowed < limits.memory:
            limit = f"a file of {len(content):,} bytes is given at most {allowed / 1e6:,.0f} MB"
        raise ImageError(
            f"{image.width:,} x {image.height:,} pixels as {image.format} take about {needed / 1e6:,.0f} MB to decode; "
            f"{limit}"
        )
    _require_short_runs(image, len(content))


def _require_short_runs(image: ImageFile.ImageFile, size: int) -> None:
    width, height = image.size
    tiles = getattr(image, "tile", ())
    what = {"bmp_rle": "a run-length BMP", "ppm_plain": "a PPM in digits"}.get(tiles[0].codec_name if tiles else "")
    if what and max(width * height * len(image.getbands()), size) > MAX_RUN_LENGTH:
        raise ImageError(
            f"{what} of {width:,} x {height:,} pixels in {size:,} bytes, at most {MAX_RUN_LENGTH:,} of either are "
            f"decoded"
        )


def decoding_memory(image: ImageFile.ImageFile, content: bytes) -> int:
    """Estimate the bytes of memory that decoding takes at its peak, the result included."""
    pixels, bands = image.width * image.height, len(image.getbands())
    stored = BYTES_STORED.get(image.mode, 4)
    result, area = (1 if stored <= 2 and image.mode != "P" else 3), reduction(image.width, image.height) ** 2
    if image.format in ("JPEG", "MPO"):
        return max(whole_image_coefficients(content) + stored * pixels // area, (stored + result) * pixels // area)
    decoder = {
        "WEBP": 16.0,  # two canvases of an animation, and two copies of the frame
        "AVIF": 4.0 + 4 * bands,
        "HEIF": 4.0 + 3 * bands,
        "JPEG2000": 6.5 * bands,  # four bytes for each value, while it is decoded
        "TIFF": 2.0 * stored + bands * (2 if stored == 2 or "16" in str(image.tile) else 1),  # turned, or in one strip
    }.get(image.format or "", float(stored))
    held = 12.0 if image.format == "WEBP" else float(stored)
    return int(pixels * max(decoder, held + result / area))
