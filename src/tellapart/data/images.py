"""Other looks at pictures, which are pictures too: their mirror images, and several sets one after the other."""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np

from tellapart.data.dataset import Pictures
from tellapart.data.image import Picture


@dataclass(frozen=True)
class MirroredPictures:
    """The mirror images of some pictures, left and right exchanged."""

    pictures: Pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, index: int) -> Picture:
        """One mirror image. Raises PictureError."""
        return np.ascontiguousarray(self.pictures.read(index)[:, ::-1])

    def name(self, index: int) -> str:
        """The picture's name, and that this is its mirror image."""
        return f"{self.pictures.name(index)} (mirrored)"

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """For each a hash that is not the picture's own."""
        return tuple(hashlib.sha256(f"mirrored {digest}".encode()).hexdigest() for digest in self.pictures.digests)

    def take(self, indices: Sequence[int]) -> "MirroredPictures":
        """Some of them, in the order asked for."""
        return MirroredPictures(self.pictures.take(indices))


@dataclass(frozen=True)
class PicturesInARow:
    """Several sets of pictures, one after the other. `take` gives them in one set again."""

    sets: tuple[Pictures, ...]
    chosen: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return self._ends[-1] if self.chosen is None else len(self.chosen)

    def read(self, index: int) -> Picture:
        """One picture. Raises PictureError."""
        pictures, place = self._found(index)
        return pictures.read(place)

    def name(self, index: int) -> str:
        """Its name in its own set."""
        pictures, place = self._found(index)
        return pictures.name(place)

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """For each the hash that its own set gives it."""
        every = [digest for pictures in self.sets for digest in pictures.digests]
        return tuple(every if self.chosen is None else (every[i] for i in self.chosen))

    def take(self, indices: Sequence[int]) -> "PicturesInARow":
        """Some of them, in the order asked for."""
        places = tuple(indices) if self.chosen is None else tuple(self.chosen[i] for i in indices)
        return PicturesInARow(self.sets, places)

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate((len(pictures) for pictures in self.sets), initial=0))

    def _found(self, index: int) -> tuple[Pictures, int]:
        place = index if self.chosen is None else self.chosen[index]
        number = bisect_right(self._ends, place) - 1
        return self.sets[number], place - self._ends[number]
