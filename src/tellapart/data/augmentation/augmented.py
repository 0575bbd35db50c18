"""Augmented images: one at a time, as views to be run through a frozen base, and as the rows of an epoch."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.augmentation.distortions import DISTORTIONS, distort
from tellapart.data.augmentation.random_draws import draw, draw_for_rows
from tellapart.data.image import ImageArray
from tellapart.data.images import Images
from tellapart.data.pipeline import decoding_threads
from tellapart.data.preprocessing import Preprocessing

# A thread's share. Measured: with fewer, threads queue for Python's lock; with more, each array's memory goes back to
# the system and has to be paged in anew, which takes as long as the work.
CHUNK_PIXELS = 100_000


def augment(image: ImageArray, augmentation: Augmentation, rng: np.random.Generator) -> ImageArray:
    """Distort one image, uint8 (h, w, 1 or 3), to the same shape; `rng` alone decides how."""
    result: ImageArray = distort(image[np.newaxis], augmentation, draw(rng))[0]
    return result


def augment_rows(
    images: NDArray[np.uint8], augmentation: Augmentation, seed: int, epoch: int, rows: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Distort some rows of a data set for an epoch, uint8 (n, h, w, 1 or 3) in and out, in threads.

    `rows`, int (n,), holds their numbers in the data set: with the seed and the epoch they decide what is done to
    each, so that it does not matter which rows come together, or in which thread.
    """
    draws = draw_for_rows(seed, epoch, rows)
    step = max(1, CHUNK_PIXELS // max(1, images.shape[1] * images.shape[2]))
    parts = [slice(start, start + step) for start in range(0, len(images), step)]
    result = np.empty_like(images, subok=False)

    def one(part: slice) -> None:
        result[part] = distort(images[part], augmentation, draws.part(part))

    with ThreadPoolExecutor(decoding_threads()) as pool:
        for _ in pool.map(one, parts):
            pass  # takes each result, so that an error in a thread is raised here
    return result


@dataclass(frozen=True)
class AugmentedImages:
    """Images at a classifier's size, each distorted in `views` ways: first one view of all, then the next of all.

    `chosen` says which of the views x n there are, as `take` leaves it; None is all.
    """

    images: Images
    preprocessing: Preprocessing
    augmentation: Augmentation
    views: int
    seed: int
    chosen: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self._places)

    def read(self, index: int) -> ImageArray:
        """One view, uint8 (height, width, channels): always the same. Raises ImageError."""
        rng = np.random.default_rng(int(self.digests[index], 16))
        return augment(self.preprocessing(self.images.read(self._of(index)[1])), self.augmentation, rng)

    def name(self, index: int) -> str:
        """The image's name, and which view of it this is."""
        view, image = self._of(index)
        return f"{self.images.name(image)} (view {view + 1})"

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """For each view a hash of all that decides its pixels: MixUp and CutMix, which mix batches, do not."""
        of_one = f"{DISTORTIONS} {self.preprocessing} {self.augmentation.of_one} {self.seed}"
        digests = self.images.digests
        places = (self._of(index) for index in range(len(self)))
        return tuple(hashlib.sha256(f"{of_one} {view} {digests[i]}".encode()).hexdigest() for view, i in places)

    def take(self, indices: Sequence[int]) -> "AugmentedImages":
        """Some of the views, in the order asked for, and of the images no others: so that they can travel."""
        found = [self._of(index) for index in indices]
        used = {image: place for place, image in enumerate(dict.fromkeys(image for _, image in found))}
        chosen = tuple(view * len(used) + used[image] for view, image in found)
        return replace(self, images=self.images.take([*used]), chosen=chosen)

    @property
    def _places(self) -> Sequence[int]:
        return range(self.views * len(self.images)) if self.chosen is None else self.chosen

    def _of(self, index: int) -> tuple[int, int]:
        """Which view, and of which image."""
        return divmod(self._places[index], len(self.images))
