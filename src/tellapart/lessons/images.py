"""The images of lessons: some of a data set's, divided, as arrays that scikit-learn takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, Labels, Split
from tellapart.data.images import ArrayImages
from tellapart.data.sources.arrays import array_split
from tellapart.data.sources.builtin_datasets import is_available
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.errors import DatasetError
from tellapart.lessons.lesson import Settings

TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
"""How a text writes the name of a data set, where it writes it otherwise."""
Pixels = NDArray[np.float32]
"""float32 (n, height * width), in [0, 1]: each image a row of numbers."""


@dataclass(frozen=True)
class Part:
    """Grey images, uint8 (n, height, width, 1), and the index of each one's class."""

    images: NDArray[np.uint8]
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixels(self) -> Pixels:
        """Each image as a row of numbers."""
        rows: Pixels = self.images.reshape(len(self), -1).astype(np.float32) / np.float32(255)
        return rows

    def take(self, which: NDArray[np.integer] | slice) -> "Part":
        """Some of them."""
        return Part(self.images[which], self.labels[which])


@dataclass(frozen=True)
class Images:
    """A data set's images to learn from, and others to be judged on."""

    name: str
    classes: tuple[str, ...]
    train: Part
    test: Part


def images(name: str, settings: Settings, *, test: float = 0.4) -> Images:
    """Open a named data set; the digits of scikit-learn where it is not on this machine, or the work is to be small.

    In the order that the seed draws. `test` is the share for judging where the data set has no test split.
    """
    dataset = Dataset.open(name if is_available(name) and not settings.small else "digits")
    dataset = draw_splits(dataset, validation=0, test=test, seed=settings.seed)
    rng = np.random.default_rng(settings.seed)
    parts = (_shuffled(dataset.splits[split], rng) for split in ("train", "test"))
    return Images(TITLES.get(dataset.name, dataset.name), dataset.classes, *parts)


def as_dataset(name: str, classes: tuple[str, ...], **splits: Part) -> Dataset:
    """Parts as a data set that tellapart trains on."""
    return Dataset(name, classes, {split: array_split(part.images, part.labels) for split, part in splits.items()})


def _shuffled(split: Split, rng: np.random.Generator) -> Part:
    if not isinstance(split.images, ArrayImages):
        raise DatasetError("a lesson needs images in arrays, such as digits, mnist or fashion-mnist")
    order = rng.permutation(len(split))
    return Part(split.images.array[order], split.labels[order])


def of_classes(part: Part, some: NDArray[np.integer]) -> Part:
    """The images of some classes, which are numbered anew in that order."""
    kept = part.take(np.flatnonzero(np.isin(part.labels, some)))
    return Part(kept.images, (kept.labels[:, np.newaxis] == some).argmax(axis=1).astype(np.int32))
