"""Data sets: labelled images in named splits, and the options they are read with."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.images import ArrayImages, Images
from tellapart.data.labelled_images import LabelledImages
from tellapart.errors import DatasetError
from tellapart.late_binding import late_bound

Labels = NDArray[np.int32]
"""int32 (n,): the index of each image's class."""


@dataclass(frozen=True)
class Split:
    """Images of a data set and their labels, int32 (n,)."""

    images: Images
    labels: Labels
    groups: tuple[str, ...] | None = None
    """The group of each image, such as a person, a place or a burst of photos; a group is never divided."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Sequence[int]) -> "Split":
        """Select images, in the order given."""
        groups = None if self.groups is None else tuple(self.groups[i] for i in indices)
        return Split(self.images.take(indices), self.labels[np.asarray(indices, dtype=np.intp)], groups)


@dataclass(frozen=True)
class Skipped:
    """A file that is left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading labelled images. A column that is not named is found by its usual names."""

    path_column: str | None = None
    """The column of a table that has the images' paths."""
    label_column: str | None = None
    """The one that has the labels; or, with commas between, those of the classes, with 1 for the image's class."""
    split_column: str | None = None
    """The one that says train, validation or test; or one such as is_valid; or, with a comma between, two of these."""
    group_column: str | None = None
    """The one that says what belongs together, such as who sent the images: a group is never divided by a split."""
    exclude_label: tuple[str, ...] = ()
    """Labels whose images are left out: once for each, or several with commas between."""
    skip: Path | None = None
    """A findings.csv in which a person has marked images: they are left out."""
    label_from: str | None = None
    """A regular expression that finds the label in each image's path, such as '(cat|dog)[.]': its first group."""
    root: Path | None = None
    """The folder in which a table's paths begin; paths from another machine are found by their ends."""
    encoding: str | None = None
    """The encoding of a table that is not UTF-8, such as cp1252; found by itself in most cases."""

    def __post_init__(self) -> None:
        """Take paths and a single label in text, too."""
        for name in ("skip", "root"):
            if isinstance(path := getattr(self, name), str):
                object.__setattr__(self, name, Path(path))
        labels: object = self.exclude_label
        if isinstance(labels, str):
            object.__setattr__(self, "exclude_label", (labels,))


@dataclass(frozen=True)
class Dataset:
    """Labelled images in named splits. Immutable.

    A source without splits has one, named `all`; `draw_splits` divides it into train, validation and test.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    skipped: tuple[Skipped, ...] = ()
    source: str | None = None
    """The source given to `open`, so that a report can find the images again."""
    families: Mapping[str, str] = field(default_factory=dict)
    """Near-duplicates: maps the hash of each image that has any to the hash of one of them, which names the family."""
    others: tuple[str, ...] = ()
    """Files in the source that are not images."""
    read_options: ReadOptions = field(default_factory=ReadOptions)
    """The options given to `open`."""
    unlabelled: tuple[str, ...] = ()
    """Images in the source without a label: in no row of its table, or in a test folder without class folders."""
    drawn: bool = False
    """Whether the splits were drawn here, so that they are not those of the source."""

    @staticmethod
    def open(source: str | Path, read_options: ReadOptions | None = None) -> "Dataset":
        """Read a folder of class folders, tables of labels, an `.npz` file, or a built-in set such as `digits`.

        Raises DatasetError.
        """
        read_options = read_options or ReadOptions()
        dataset: Dataset = late_bound("open_source")(str(source), read_options)
        return replace(dataset, source=str(source), read_options=read_options)

    @staticmethod
    def of(dataset: "Dataset | str | Path") -> "Dataset":
        """Return the data set itself, or open the source that is named. Raises DatasetError."""
        return dataset if isinstance(dataset, Dataset) else Dataset.open(dataset)

    def labelled(self, split: str) -> LabelledImages:
        """Return the images of a split with their labels by number from 0. Raises DatasetError."""
        if split not in self.splits:
            names = " and ".join(self.splits)
            advice = ": draw_splits divides it" if "all" in self.splits else ""
            raise DatasetError(f"{self.name} has no split {split}, it has {names}{advice}")
        part = self.splits[split]
        reproducible = self.source is not None and not self.drawn and self.read_options == ReadOptions()
        return LabelledImages(
            f"{self.source or self.name}:{split}", reproducible, part.images, part.labels, self.classes
        )

    @property
    def all(self) -> LabelledImages:
        """The images of a data set without splits. Raises DatasetError."""
        return self.labelled("all")

    @property
    def train(self) -> LabelledImages:
        """The training images: `dataset.train[0].label`. Raises DatasetError."""
        return self.labelled("train")

    @property
    def validation(self) -> LabelledImages:
        """The validation images. Raises DatasetError."""
        return self.labelled("validation")

    @property
    def test(self) -> LabelledImages:
        """The test images: `dataset.test[7388]` is the one that commands take as `mnist:test[7388]`.

        Raises DatasetError.
        """
        return self.labelled("test")

    @property
    def class_indices(self) -> Mapping[str, int]:
        """The index of each class by its name: labels and columns of probabilities are in this order."""
        return {name: index for index, name in enumerate(self.classes)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the classes and, for each split, its labelled content hashes, whatever their order."""
        lines = [f"class {name}" for name in self.classes]
        for name, split in sorted(self.splits.items()):
            rows = zip(split.labels.tolist(), split.images.digests, strict=True)
            lines += sorted(f"{name} {label} {digest}" for label, digest in rows)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def own_size(self) -> int | None:
        """The side in pixels, where all images are squares of one size in arrays; else None."""
        arrays = [split.images.array for split in self.splits.values() if isinstance(split.images, ArrayImages)]
        sides = {side for array in arrays for side in array.shape[1:3]}
        return sides.pop() if len(arrays) == len(self.splits) and len(sides) == 1 else None

    def counts(self, split: str) -> NDArray[np.int64]:
        """Count the images of each class in a split: int64 (classes,)."""
        return np.bincount(self.splits[split].labels, minlength=len(self.classes))

    def __repr__(self) -> str:
        # Notebooks store it beside the HTML; the default would list a hash for each image.
        sizes = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        return f"<Dataset {self.name}: {sizes} images in {len(self.classes):,} classes>"

    def _repr_html_(self) -> str:
        """Render examples and counts for a notebook."""
        return str(late_bound("dataset_html")(self))
