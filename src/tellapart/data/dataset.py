"""Dataset: which images, which labels, which class names, which split. Facts only."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.image import ImageArray, decode
from tellapart.data.sources.listing import no_file
from tellapart.data.sources.read_options import ReadOptions
from tellapart.errors import ImageError
from tellapart.late_binding import late_bound

Labels = NDArray[np.int32]
"""int32 (n,): for each image the index of its class."""


class Images(Protocol):
    """Images that can be read one at a time, in any order, from several threads."""

    def __len__(self) -> int:
        """How many there are."""

    def read(self, index: int) -> ImageArray:
        """One image as it is stored: uint8 (h, w, 1 or 3), any size. Raises ImageError."""

    def name(self, index: int) -> str:
        """What a person would call it: its path, or its number."""

    @property
    def digests(self) -> tuple[str, ...]:
        """For each a hash of its content, 64 hexadecimal digits."""

    def take(self, indices: Sequence[int]) -> "Images":
        """Some of them, in the order asked for."""


@dataclass(frozen=True)
class FileImages:
    """Images in files, each with the SHA-256 that its bytes had when it was listed."""

    paths: tuple[str, ...]
    digests: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> ImageArray:
        """Decode one file. Raises ImageError as `content` does."""
        return decode(self.content(index))

    def content(self, index: int) -> bytes:
        """A file's bytes. Raises ImageError when it is gone, closed to us, or no longer what was listed."""
        if why := no_file(self.paths[index]):  # a FIFO in its place would be waited for
            raise ImageError(why)
        content = read_bytes(self.paths[index])
        # What was listed decides the split, the cached features and what a bundle says it has seen.
        if hashlib.sha256(content).hexdigest() != self.digests[index]:
            raise ImageError("was changed after it was listed: run the command again to take it as it is now")
        return content

    def name(self, index: int) -> str:
        """The file's path."""
        return self.paths[index]

    def take(self, indices: Sequence[int]) -> "FileImages":
        """Some of them, in the order asked for."""
        return FileImages(tuple(self.paths[i] for i in indices), tuple(self.digests[i] for i in indices))


@dataclass(frozen=True)
class ArrayImages:
    """Images in one array, uint8 (n, h, w, 1 or 3), each with the SHA-256 of its shape and pixels."""

    array: NDArray[np.uint8]
    digests: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.array)

    def read(self, index: int) -> ImageArray:
        """One row of the array."""
        image: ImageArray = self.array[index]
        return image

    def name(self, index: int) -> str:
        """Its number, and the start of its hash, which stays the same when splits are drawn."""
        return f"image {self.digests[index][:12]}"

    def take(self, indices: Sequence[int]) -> "ArrayImages":
        """Some of them, in the order asked for."""
        rows = self.array[np.asarray(indices, dtype=np.intp)]
        return ArrayImages(rows, tuple(self.digests[i] for i in indices))


@dataclass(frozen=True)
class Split:
    """A part of a data set: images and, for each, the index of its class (int32 (n,))."""

    images: Images
    labels: Labels
    groups: tuple[str, ...] | None = None
    """For each image the name of what it must not be parted from: a person, a place, a burst of photos."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Sequence[int]) -> "Split":
        """Some of its images, in the order asked for."""
        groups = None if self.groups is None else tuple(self.groups[i] for i in indices)
        return Split(self.images.take(indices), self.labels[np.asarray(indices, dtype=np.intp)], groups)


@dataclass(frozen=True)
class Skipped:
    """A file that is left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class ReadableValues:
    """What came of a split's images: values (len(kept), ...), whose indices, and the images without any."""

    values: NDArray[Any]
    kept: tuple[int, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Dataset:
    """Labelled images in named splits. Immutable.

    A source without splits of its own has one, called `all`; `splits.complete` draws train, validation and
    test from it.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    skipped: tuple[Skipped, ...] = ()
    source: str | None = None
    """What `open` was given, so that a report can find the images again."""
    families: Mapping[str, str] = field(default_factory=dict)
    """Near-duplicates: for the hash of each image that has any, that of one of them, which names the family."""
    others: tuple[str, ...] = ()
    """Files in the source that are not images."""
    reading: ReadOptions = field(default_factory=ReadOptions)
    """How `open` was told to read it."""

    @staticmethod
    def open(source: str | Path, reading: ReadOptions | None = None) -> "Dataset":
        """Read a folder of class folders, a table, an `.npz` file, or a named set such as `digits` or `mnist`.

        Raises DatasetError.
        """
        reading = reading or ReadOptions()
        dataset: Dataset = late_bound("open_source")(str(source), reading)
        return replace(dataset, source=str(source), reading=reading)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over classes and, for each split, its labelled content hashes; order does not matter."""
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
        """How many images of each class a split holds: int64 (classes,)."""
        return np.bincount(self.splits[split].labels, minlength=len(self.classes))

    def __repr__(self) -> str:
        # A notebook stores it beside the HTML, and the whole would be a hash for each image.
        sizes = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        return f"<Dataset {self.name}: {sizes} images in {len(self.classes):,} classes>"

    def _repr_html_(self) -> str:
        """Examples and counts, for a notebook."""
        return str(late_bound("dataset_html")(self))


def read_bytes(path: str) -> bytes:
    """A file's bytes. Raises ImageError with a sentence when it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a path with a NUL in it
        raise ImageError(f"cannot be read: {error}") from error
