"""Sets of images: in files, in an array, mirrored, and several sets as one."""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.decoding.conversion import USUAL, Conversion, ImageArray
from tellapart.data.decoding.decode import decode
from tellapart.data.read_image import read_bytes
from tellapart.errors import ImageError


class Images(Protocol):
    """Images that can be read one at a time, in any order, from several threads."""

    def __len__(self) -> int:
        """Return the number of images."""

    def read(self, index: int, conversion: Conversion = USUAL) -> ImageArray:
        """Read one image as it is stored: uint8 (h, w, 1 or 3), any size. Raises ImageError."""

    def name(self, index: int) -> str:
        """Return the name to show for an image: its path, or `image` and the start of its hash."""

    @property
    def digests(self) -> tuple[str, ...]:
        """A hash of each image's content, 64 hexadecimal digits."""

    def take(self, indices: Sequence[int]) -> "Images":
        """Select images, in the order given."""


@dataclass(frozen=True)
class FileImages:
    """Images in files, with the SHA-256 that the bytes of each had when it was listed."""

    paths: tuple[str, ...]
    digests: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int, conversion: Conversion = USUAL) -> ImageArray:
        """Decode one file. Raises ImageError, also where `content` does."""
        return decode(self.content(index), conversion=conversion)

    def content(self, index: int) -> bytes:
        """Read the bytes of one file. Raises ImageError when it is missing, unreadable or changed since listed."""
        content = read_bytes(self.paths[index])
        # The listed content decides the split, the cached features and which images a bundle records as seen.
        if hashlib.sha256(content).hexdigest() != self.digests[index]:
            raise ImageError("was changed after it was listed: run the command again to take it as it is now")
        return content

    def name(self, index: int) -> str:
        """Return the path of the file."""
        return self.paths[index]

    def take(self, indices: Sequence[int]) -> "FileImages":
        """Select images, in the order given."""
        return FileImages(tuple(self.paths[i] for i in indices), tuple(self.digests[i] for i in indices))


@dataclass(frozen=True)
class ArrayImages:
    """Images in one array, uint8 (n, h, w, 1 or 3), with the SHA-256 of the shape and pixels of each."""

    array: NDArray[np.uint8]
    digests: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.array)

    def read(self, index: int, conversion: Conversion = USUAL) -> ImageArray:
        """Return one row of the array."""
        del conversion  # arrays are 8 bits without transparency
        image: ImageArray = self.array[index]
        return image

    def name(self, index: int) -> str:
        """Return `image` and the first 12 digits of its hash, which does not change when splits are drawn."""
        return f"image {self.digests[index][:12]}"

    def take(self, indices: Sequence[int]) -> "ArrayImages":
        """Select images, in the order given."""
        rows = self.array[np.asarray(indices, dtype=np.intp)]
        return ArrayImages(rows, tuple(self.digests[i] for i in indices))


@dataclass(frozen=True)
class MirroredImages:
    """Images flipped left to right."""

    images: Images

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int, conversion: Conversion = USUAL) -> ImageArray:
        """Read one image, flipped. Raises ImageError."""
        return np.ascontiguousarray(self.images.read(index, conversion)[:, ::-1])

    def name(self, index: int) -> str:
        """Return the image's name, marked as mirrored."""
        return f"{self.images.name(index)} (mirrored)"

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """A hash of each, different from that of the image itself."""
        return tuple(hashlib.sha256(f"mirrored {digest}".encode()).hexdigest() for digest in self.images.digests)

    def take(self, indices: Sequence[int]) -> "MirroredImages":
        """Select images, in the order given."""
        return MirroredImages(self.images.take(indices))


@dataclass(frozen=True)
class ConcatImages:
    """Several sets of images, one after the other."""

    sets: tuple[Images, ...]
    chosen: tuple[int, ...] | None = None
    """The indices that `take` selected; None for all."""

    def __len__(self) -> int:
        return self._starts[-1] if self.chosen is None else len(self.chosen)

    def read(self, index: int, conversion: Conversion = USUAL) -> ImageArray:
        """Read one image. Raises ImageError."""
        images, position = self._locate(index)
        return images.read(position, conversion)

    def name(self, index: int) -> str:
        """Return the image's name in its own set."""
        images, position = self._locate(index)
        return images.name(position)

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """The hash of each image in its own set."""
        digests = [digest for images in self.sets for digest in images.digests]
        return tuple(digests if self.chosen is None else (digests[i] for i in self.chosen))

    def take(self, indices: Sequence[int]) -> "ConcatImages":
        """Select images, in the order given."""
        chosen = tuple(indices) if self.chosen is None else tuple(self.chosen[i] for i in indices)
        return ConcatImages(self.sets, chosen)

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate((len(images) for images in self.sets), initial=0))

    def _locate(self, index: int) -> tuple[Images, int]:
        position = index if self.chosen is None else self.chosen[index]
        number = bisect_right(self._starts, position) - 1
        return self.sets[number], position - self._starts[number]
