"""Augmented images: one at a time, as views for a frozen backbone, and as the rows of an epoch."""

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
from tellapart.data.decoding.conversion import USUAL, Conversion, ImageArray
from tellapart.data.images import Images
from tellapart.data.pipeline import decoding_threads
from tellapart.data.preprocessing import Preprocessing

# Per task of a thread. Measured: with fewer, threads wait for the GIL; with more, each array's memory goes back to the
# system and paged in again, which takes as long as the work.
CHUNK_PIXELS = 100_000


def augment(image: ImageArray, augmentation: Augmentation, rng: np.random.Generator) -> ImageArray:
    """Distort one image, uint8 (h, w, 1 or 3), to the same shape; `rng` alone is the randomness."""
    result: ImageArray = distort(image[np.newaxis], augmentation, draw(rng))[0]
    return result


def augment_rows(
    images: NDArray[np.uint8], augmentation: Augmentation, seed: int, epoch: int, rows: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Distort rows of a data set for an epoch, uint8 (n, h, w, 1 or 3) in and out, in threads.

    `rows`, int (n,), are their indices in the data set. Index, seed and epoch decide how each is distorted, so that
    the result depends neither on which rows come together nor on the threads.
    """
    draws = draw_for_rows(seed, epoch, rows)
    step = max(1, CHUNK_PIXELS // max(1, images.shape[1] * images.shape[2]))
    chunks = [slice(start, start + step) for start in range(0, len(images), step)]
    result = np.empty_like(images, subok=False)

    def distort_chunk(chunk: slice) -> None:
        result[chunk] = distort(images[chunk], augmentation, draws.part(chunk))

    with ThreadPoolExecutor(decoding_threads()) as pool:
        for _ in pool.map(distort_chunk, chunks):
            pass  # consumed, so that an error in a thread is raised here
    return result


@dataclass(frozen=True)
class AugmentedImages:
    """Images at a classifier's size, each distorted in `views` ways: the first view of all, then the second of all, ...

    `chosen` are the indices, of the views x n, that `take` selected; None for all.
    """

    images: Images
    preprocessing: Preprocessing
    augmentation: Augmentation
    views: int
    seed: int
    chosen: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self._indices)

    def read(self, index: int, conversion: Conversion = USUAL) -> ImageArray:
        """Read one view, uint8 (height, width, channels), the same each time. Raises ImageError."""
        del conversion  # its own preprocessing says how
        rng = np.random.default_rng(int(self.digests[index], 16))
        return augment(self.preprocessing(self._original(index)), self.augmentation, rng)

    def _original(self, index: int) -> ImageArray:
        return self.images.read(self._locate(index)[1], self.preprocessing.conversion)

    def name(self, index: int) -> str:
        """Return the image's name and the number of the view."""
        view, image = self._locate(index)
        return f"{self.images.name(image)} (view {view + 1})"

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """A hash for each view of all that decides its pixels; MixUp and CutMix, which mix batches, do not."""
        per_image = f"{DISTORTIONS} {self.preprocessing} {self.augmentation.per_image} {self.seed}"
        digests = self.images.digests
        views = (self._locate(index) for index in range(len(self)))
        return tuple(hashlib.sha256(f"{per_image} {view} {digests[i]}".encode()).hexdigest() for view, i in views)

    def take(self, indices: Sequence[int]) -> "AugmentedImages":
        """Select views, in the order given, keeping only the images they need, so that little is sent to workers."""
        selected = [self._locate(index) for index in indices]
        used = {image: index for index, image in enumerate(dict.fromkeys(image for _, image in selected))}
        chosen = tuple(view * len(used) + used[image] for view, image in selected)
        return replace(self, images=self.images.take([*used]), chosen=chosen)

    @property
    def _indices(self) -> Sequence[int]:
        return range(self.views * len(self.images)) if self.chosen is None else self.chosen

    def _locate(self, index: int) -> tuple[int, int]:
        """Return the view and the image of an index."""
        return divmod(self._indices[index], len(self.images))
