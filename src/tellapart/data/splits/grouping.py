"""Units of images that no split or fold divides: duplicates, near-duplicates, and images of one group."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, Labels, Split
from tellapart.data.images import FileImages
from tellapart.errors import DatasetError

Indices = NDArray[np.intp]
GROUP_PREFIX = "group "


def assign_units(
    digests: Sequence[str], groups: Sequence[str] | None = None, families: Mapping[str, str] | None = None
) -> Indices:
    """Return the unit of each image, numbered from 0: int (n,).

    Images of equal content, of one family (mapped from hash to family name) or of one group (one name for each image,
    empty for none) share a unit, and so do images joined by a chain of such pairs. Raises DatasetError.
    """
    if groups is not None and len(groups) != len(digests):
        raise DatasetError(f"there are {len(groups)} groups for {len(digests)} images: give each image its own")
    family_ids = _numbered((families or {}).get(digest, digest) for digest in digests)
    partitions = [family_ids] if groups is None else [family_ids, _numbered(draw_keys(digests, groups))]
    first = np.arange(len(digests))
    while True:
        least = first
        for partition in partitions:
            least = _minimum_by(least, partition)
        least = least[
            least
        ]  # pointer jumping: each is the index of an image of the same unit, so long chains take few rounds
        if (least == first).all():
            return np.unique(first, return_inverse=True)[1]
        first = least


def group_names(split: Split, families: Mapping[str, str] | None = None) -> tuple[str, ...] | None:
    """Name for each image the unit it belongs to, by the least name of a group or content in it; None without groups.

    Images of equal content or of one family are then of one group, and their groups are one.
    """
    if split.groups is None:
        return None
    units = assign_units(split.images.digests, split.groups, families)
    least: dict[int, str] = {}
    for unit, name in zip(units.tolist(), draw_keys(split.images.digests, split.groups), strict=True):
        least[unit] = min(name, least.get(unit, name))
    return tuple(least[unit].removeprefix(GROUP_PREFIX) for unit in units.tolist())


def draw_keys(digests: Sequence[str], groups: Sequence[str] | None) -> list[str]:
    """Return what each image is drawn by: the name of its group, or else its content."""
    if groups is None:
        return list(digests)
    return [f"{GROUP_PREFIX}{group}" if group else digest for group, digest in zip(groups, digests, strict=True)]


@dataclass(frozen=True, eq=False)
class UnitClasses:
    """The classes of the images in each unit: the (label, unit) pairs that occur, ordered by label."""

    labels: Indices
    units: Indices
    by_unit: Indices
    """The indices that sort the pairs by unit."""

    @staticmethod
    def of(labels: NDArray[np.integer], together: Indices) -> "UnitClasses":
        """Collect the pairs from the class and the unit of each image."""
        count = together.max(initial=0) + 1
        pairs = np.unique(labels.astype(np.intp) * count + together)
        return UnitClasses(pairs // count, pairs % count, np.argsort(pairs % count, kind="stable"))

    def units_of(self, label: int) -> Indices:
        """Return the units that have images of a class."""
        return self.units[slice(*np.searchsorted(self.labels, [label, label + 1]))]

    def labels_of(self, unit: int) -> Indices:
        """Return the classes of a unit's images."""
        return self.labels[self.by_unit[slice(*np.searchsorted(self.units, [unit, unit + 1], sorter=self.by_unit))]]

    def counts(self, homes: Indices, splits: int) -> Indices:
        """Count the units of each class in each split, given the split of each unit: int (classes, splits)."""
        counts = np.zeros((self.labels.max(initial=-1) + 1, splits), np.intp)
        np.add.at(counts, (self.labels, homes[self.units]), 1)
        return counts


def _numbered(names: Iterable[str]) -> Indices:
    """Number the distinct names from 0: int (n,)."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)


def _minimum_by(values: Indices, ids: Indices) -> Indices:
    """Return for each image the minimum of the values of the images that share its id."""
    least = np.full(ids.max(initial=-1) + 1, np.iinfo(np.intp).max)
    np.minimum.at(least, ids, values)
    return least[ids]


def round_robin(labels: Labels) -> NDArray[np.intp]:
    """Order images so that the first of each class come first, then the second of each: int (n,) from int32 (n,)."""
    by_class = np.argsort(labels, kind="stable")
    ordered = labels[by_class]
    before = np.arange(len(labels)) - np.searchsorted(ordered, ordered)  # how many of its class come before each
    return by_class[np.argsort(before, kind="stable")]


def group_by_folder(dataset: Dataset, depth: int) -> Dataset:
    """Group by the folders below the class folder, to a depth from 1: cat/monday/3.jpg is of the group cat/monday.

    An image in a shallower folder is a group of its own. Raises DatasetError.
    """
    if depth < 1:
        raise DatasetError(f"the depth of groups is {depth}; expected 1 or more folders below the class folder")
    if dataset.source is None or not Path(dataset.source).is_dir():
        raise DatasetError(
            f"{dataset.name} was not read from a folder of class folders: only these are grouped by depth"
        )
    above = 0 if "all" in dataset.splits else 1
    splits = {name: _grouped(split, dataset, depth, above) for name, split in dataset.splits.items()}
    if all(len(set(split.groups or ())) == len(split) for split in splits.values()):
        raise DatasetError(
            f"no two images of {dataset.name} are together in a folder {depth} below their class folder, so that "
            f"each would be a group of its own: choose another depth"
        )
    return replace(dataset, splits=splits)


def _grouped(split: Split, dataset: Dataset, depth: int, above: int) -> Split:
    if not isinstance(split.images, FileImages):
        raise DatasetError(f"the images of {dataset.name} are in arrays, not in folders: they have no groups by depth")
    start = os.path.join(str(Path(dataset.source or "")), "")  # noqa: PTH118
    parts = [Path(path.removeprefix(start)).parts[above:] for path in split.images.paths]
    return replace(split, groups=tuple("/".join(names[: depth + 1]) for names in parts))
