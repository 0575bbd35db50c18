"""Other looks at images, which are images too: their mirror images, and several sets one after the other."""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np

from tellapart.data.dataset import Images
from tellapart.data.image import ImageArray


@dataclass(frozen=True)
class MirroredImages:
    """The mirror images of some images, left and right exchanged."""

    images: Images

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int) -> ImageArray:
        """One mirror image. Raises ImageError."""
        return np.ascontiguousarray(self.images.read(index)[:, ::-1])

    def name(self, index: int) -> str:
        """The image's name, and that this is its mirror image."""
        return f"{self.images.name(index)} (mirrored)"

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """For each a hash that is not the image's own."""
        return tuple(hashlib.sha256(f"mirrored {digest}".encode()).hexdigest() for digest in self.images.digests)

    def take(self, indices: Sequence[int]) -> "MirroredImages":
        """Some of them, in the order asked for."""
        return MirroredImages(self.images.take(indices))


@dataclass(frozen=True)
class ConcatImages:
    """Several sets of images, one after the other. `take` gives them in one set again."""

    sets: tuple[Images, ...]
    chosen: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return self._ends[-1] if self.chosen is None else len(self.chosen)

    def read(self, index: int) -> ImageArray:
        """One image. Raises ImageError."""
        images, place = self._found(index)
        return images.read(place)

    def name(self, index: int) -> str:
        """Its name in its own set."""
        images, place = self._found(index)
        return images.name(place)

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """For each the hash that its own set gives it."""
        every = [digest for images in self.sets for digest in images.digests]
        return tuple(every if self.chosen is None else (every[i] for i in self.chosen))

    def take(self, indices: Sequence[int]) -> "ConcatImages":
        """Some of them, in the order asked for."""
        places = tuple(indices) if self.chosen is None else tuple(self.chosen[i] for i in indices)
        return ConcatImages(self.sets, places)

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate((len(images) for images in self.sets), initial=0))

    def _found(self, index: int) -> tuple[Images, int]:
        place = index if self.chosen is None else self.chosen[index]
        number = bisect_right(self._ends, place) - 1
        return self.sets[number], place - self._ends[number]
