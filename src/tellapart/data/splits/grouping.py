"""What no split and no fold may part: copies of an image, its near-duplicates, and the images of one group."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DatasetError

Indices = NDArray[np.intp]


def assign_units(
    digests: Sequence[str], groups: Sequence[str] | None = None, families: Mapping[str, str] | None = None
) -> Indices:
    """For each image the number, from 0, of the unit it belongs to: int (n,).

    Images of equal content, of one family (from a hash to the family's name) or of one group (an entry for each
    image, empty where it has none) share a unit; so do those that a chain of such pairs joins. Raises DatasetError.
    """
    if groups is not None and len(groups) != len(digests):
        raise DatasetError(f"there are {len(groups)} groups for {len(digests)} images: give each image its own")
    kin = _numbered((families or {}).get(digest, digest) for digest in digests)
    ties = [kin] if groups is None else [kin, _numbered(draw_keys(digests, groups))]
    first = np.arange(len(digests))
    while True:
        least = first
        for tie in ties:
            least = _least(least, tie)
        least = least[least]  # each is now the place of an image of the same unit: long chains end in few rounds
        if (least == first).all():
            return np.unique(first, return_inverse=True)[1]
        first = least


def draw_keys(digests: Sequence[str], groups: Sequence[str] | None) -> list[str]:
    """What an image is drawn by: the name of its group, or else its content."""
    if groups is None:
        return list(digests)
    return [f"group {group}" if group else digest for group, digest in zip(groups, digests, strict=True)]


@dataclass(frozen=True, eq=False)
class UnitClasses:
    """Which units have images of which class: a pair of both for each that occurs, in the order of the labels."""

    labels: Indices
    units: Indices
    by_unit: Indices
    """Puts the pairs into the order of the units."""

    @staticmethod
    def of(labels: NDArray[np.integer], together: Indices) -> "UnitClasses":
        """From the class and the unit of each image."""
        count = together.max(initial=0) + 1
        pairs = np.unique(labels.astype(np.intp) * count + together)
        return UnitClasses(pairs // count, pairs % count, np.argsort(pairs % count, kind="stable"))

    def units_of(self, label: int) -> Indices:
        """The units that have images of a class."""
        return self.units[slice(*np.searchsorted(self.labels, [label, label + 1]))]

    def labels_of(self, unit: int) -> Indices:
        """The classes of a unit's images."""
        return self.labels[self.by_unit[slice(*np.searchsorted(self.units, [unit, unit + 1], sorter=self.by_unit))]]

    def counts(self, homes: Indices, splits: int) -> Indices:
        """How many units of each class each split has, by the split of each unit: int (classes, splits)."""
        counts = np.zeros((self.labels.max(initial=-1) + 1, splits), np.intp)
        np.add.at(counts, (self.labels, homes[self.units]), 1)
        return counts


def _numbered(names: Iterable[str]) -> Indices:
    """Numbers from 0, equal where the names are: int (n,)."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)


def _least(values: Indices, among: Indices) -> Indices:
    """For each image the least value of those that share its number in `among`."""
    least = np.full(among.max(initial=-1) + 1, np.iinfo(np.intp).max)
    np.minimum.at(least, among, values)
    return least[among]
