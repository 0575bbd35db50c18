"""Images for lessons: samples of a data set, split, as arrays for scikit-learn."""

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
"""The spellings of data set names in texts."""
Pixels = NDArray[np.float32]
"""float32 (n, height * width), in [0, 1]: each image a row."""


@dataclass(frozen=True)
class Part:
    """Grey images, uint8 (n, height, width, 1), with the index of each one's class."""

    images: NDArray[np.uint8]
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixels(self) -> Pixels:
        """The images as rows of numbers in [0, 1]."""
        rows: Pixels = self.images.reshape(len(self), -1).astype(np.float32) / np.float32(255)
        return rows

    def take(self, indices: NDArray[np.integer] | slice) -> "Part":
        """Select images by their indices."""
        return Part(self.images[indices], self.labels[indices])


@dataclass(frozen=True)
class Images:
    """A data set split into training and test images."""

    name: str
    classes: tuple[str, ...]
    train: Part
    test: Part


def images(name: str, settings: Settings, *, test: float = 0.4) -> Images:
    """Open a named data set, or scikit-learn's digits for small experiments and where it is not on this machine.

    The seed shuffles the images. `test` is the share of test images where the data set has no test split.
    """
    dataset = Dataset.open(name if is_available(name) and not settings.small else "digits")
    dataset = draw_splits(dataset, validation=0, test=test, seed=settings.seed)
    rng = np.random.default_rng(settings.seed)
    parts = (_shuffled(dataset.splits[split], rng) for split in ("train", "test"))
    return Images(TITLES.get(dataset.name, dataset.name), dataset.classes, *parts)


def as_dataset(name: str, classes: tuple[str, ...], **splits: Part) -> Dataset:
    """Make a Dataset of parts, by split name."""
    return Dataset(name, classes, {split: array_split(part.images, part.labels) for split, part in splits.items()})


def _shuffled(split: Split, rng: np.random.Generator) -> Part:
    if not isinstance(split.images, ArrayImages):
        raise DatasetError("a lesson needs images in arrays, such as digits, mnist or fashion-mnist")
    order = rng.permutation(len(split))
    return Part(split.images.array[order], split.labels[order])


def of_classes(part: Part, classes: NDArray[np.integer]) -> Part:
    """Select the images of some classes, and renumber the classes in that order."""
    selected = part.take(np.flatnonzero(np.isin(part.labels, classes)))
    return Part(selected.images, (selected.labels[:, np.newaxis] == classes).argmax(axis=1).astype(np.int32))
