"""The range of stored values that images of 16 bits use, found over a set of them."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.decoding.conversion import MAX_VALUE, Conversion, Range
from tellapart.data.decoding.decode import read_wide
from tellapart.data.decoding.formats import SUFFIXES_BY_FORMAT
from tellapart.data.images import ConcatImages, FileImages, Images
from tellapart.data.pipeline import prefetch_map
from tellapart.data.read_image import not_a_file
from tellapart.errors import ImageError

MAX_IMAGES = 1_000  # decoded to find the range, evenly over the set
MAX_PIXELS = 4_000_000  # of an image, evenly over its rows and columns
RARE = 1e-4  # share of pixels that may be hot or dead, at each end
NARROW = 4  # a measured range is narrow where its bits could hold this many times as much
HEAD_BYTES = 26  # of a PNG: its signature and IHDR up to bit depth and colour type
PNG_GREY_16 = bytes((16, 0))
OTHERS = (b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ")  # TIFF and JPEG 2000, whose depth is found by opening them
EIGHT_BITS = tuple(
    suffix for name in ("JPEG", "GIF", "WEBP", "BMP", "AVIF", "HEIF") for suffix in SUFFIXES_BY_FORMAT[name]
)
"""Extensions of files that are not opened, since their formats have no 16 bits."""


@dataclass(frozen=True, eq=False)
class Levels:
    """Counts of each value in the images of 16 bits of a set, int64 (65536,), and the images' hashes."""

    digests: tuple[str, ...]
    counts: NDArray[np.int64] = field(repr=False)

    @cached_property
    def highest(self) -> int:
        """The highest value of any pixel."""
        return int(np.flatnonzero(self.counts)[-1])

    @property
    def bits(self) -> int:
        """The number of bits that the highest value needs."""
        return max(1, self.highest.bit_length())

    @cached_property
    def range(self) -> Range | None:
        """The values to make black and white; None where all 16 bits are used.

        That is what the bits can hold, such as 0 to 4,095 for 12 bits; where the values are a small part of it, as a
        temperature is, all but the rarest of them.
        """
        most = 2**self.bits - 1
        shares = np.cumsum(self.counts) / self.counts.sum()
        low, high = (int(np.searchsorted(shares, share)) for share in (RARE, 1 - RARE))
        if (high - low) * NARROW < most and high > low:
            return low, high
        return None if most == MAX_VALUE else (0, most)

    @property
    def sentence(self) -> str:
        """The part of the 16 bits that is used, as a clause without a full stop."""
        count = len({*self.digests})
        images = f"{count:,} images have" if count > 1 else "1 image has"
        if self.range and self.range != (0, 2**self.bits - 1):
            return f"{images} 16 bits of which only values from {self.range[0]:,} to {self.range[1]:,} are used"
        return f"{images} 16 bits of which the highest {16 - self.bits} are never used"


def measure_levels(sets: Iterable[Images]) -> Levels | None:
    """Count the values of the images of 16 bits among sets of images; None where there are none.

    At most `MAX_IMAGES` are decoded. Files that cannot be read are passed over.
    """
    files = [part for images in sets for part in _files(images)]
    wide = [(images, index) for images in files for index in _wide_files(images)]
    chosen = [wide[i] for i in np.linspace(0, len(wide) - 1, min(len(wide), MAX_IMAGES)).round().astype(int).tolist()]
    total, digests = np.zeros(MAX_VALUE + 1, np.int64), list[str]()
    for (images, index), counts in zip(chosen, prefetch_map(_counts, chosen, depth=16), strict=True):
        if counts is not None:
            total += counts
            digests.append(images.digests[index])
    return Levels(tuple(digests), total) if digests else None


def levels_of(wide: NDArray[np.uint16]) -> Levels:
    """Return the levels of one image of 16 bits, uint16 (h, w)."""
    return Levels((), _count(wide))


def visible_conversion(sets: Iterable[Images]) -> Conversion:
    """Return the conversion that makes images of 16 bits visible, as training would choose it, for showing them."""
    levels = measure_levels(sets)
    return Conversion(levels.range if levels else None)


def _files(images: Images) -> Iterator[FileImages]:
    if isinstance(images, FileImages):
        yield images
    if isinstance(images, ConcatImages):
        for part in images.sets:
            yield from _files(part)


def _wide_files(images: FileImages) -> Iterator[int]:
    """Yield the indices of the files of 16 bits. Few bytes are read of each, none of formats that have no 16 bits."""
    for index, path in enumerate(images.paths):
        if not path.lower().endswith(EIGHT_BITS) and not not_a_file(path) and _may_be_wide(path):
            yield index


def _may_be_wide(path: str) -> bool:
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError:  # counted and named where images are decoded
        return False
    return head.startswith(OTHERS) or (head.startswith(b"\x89PNG") and head[24:26] == PNG_GREY_16)


def _counts(item: tuple[FileImages, int]) -> NDArray[np.int64] | None:
    images, index = item
    try:
        wide = read_wide(images.content(index))
    except ImageError:  # counted and named where images are decoded
        return None
    return None if wide is None else _count(wide)


def _count(wide: NDArray[np.uint16]) -> NDArray[np.int64]:
    step = max(1, math.isqrt(wide.size // MAX_PIXELS))
    return np.bincount(wide[::step, ::step].ravel(), minlength=MAX_VALUE + 1)
