"""Folds: a split divided into parts of equal make-up, by content hash.

Copies of one picture, and pictures of one group (a person, a place, a burst of photos), always share a fold.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Split
from tellapart.data.splits import position
from tellapart.errors import DatasetError

Indices = NDArray[np.intp]


def folds(
    split: Split, count: int, seed: int, groups: Sequence[object] | None = None, *, classes: Sequence[str] = ()
) -> tuple[Indices, ...]:
    """Divide a split into `count` >= 2 folds: for each the indices of its pictures, ascending, int (n,).

    Each picture is in one fold. Without copies and groups a class has as many pictures in one fold as in another,
    or one more. `groups` has an entry for each picture. The content and the seed alone decide. `classes` are names
    for the errors. Raises DatasetError where a class has fewer distinct pictures, or groups, than there are folds.
    """
    units = _units(np.array(split.pictures.digests), groups)
    _require_enough(split, count, units, "distinct pictures" if groups is None else "groups", classes)
    homes = _dealt(split, count, seed, units)[units]
    return tuple(np.flatnonzero(homes == number) for number in range(count))


def _units(digests: NDArray[np.str_], groups: Sequence[object] | None) -> Indices:
    """For each picture the number, from 0, of what has to stay together: its copies, and all in their groups."""
    unit: Indices = np.unique(digests, return_inverse=True)[1]
    if groups is None:
        return unit
    if len(groups) != len(digests):
        raise DatasetError(f"there are {len(groups)} groups for {len(digests)} pictures: give each picture its own")
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    same_picture, same_group = unit, np.array([numbers[group] for group in groups])
    while True:  # a copy may join two groups, and those others
        joined = _least(_least(unit, same_group), same_picture)
        if (joined == unit).all():
            return np.unique(unit, return_inverse=True)[1]
        unit = joined


def _least(values: Indices, among: Indices) -> Indices:
    """For each picture the least value of those that share its number in `among`."""
    least = np.full(among.max() + 1, np.iinfo(np.intp).max)
    np.minimum.at(least, among, values)
    return least[among]


def _require_enough(split: Split, count: int, units: Indices, what: str, classes: Sequence[str]) -> None:
    found = {int(label): len(np.unique(units[split.labels == label])) for label in np.unique(split.labels)}
    rarest = min(found, key=lambda label: found[label])
    if found[rarest] < count:
        name = classes[rarest] if classes else rarest
        # With 2, one judged and one trained on, none is left to choose by: no advice that ends in the next refusal
        advice = f", or take at most {found[rarest]} folds" if found[rarest] > 2 else ", or remove the class"
        raise DatasetError(
            f"class {name} has {found[rarest]} {what}, but {count} folds need at least {count} of each class: add "
            f"pictures of it{advice}"
        )


def _dealt(split: Split, count: int, seed: int, units: Indices) -> Indices:
    """For each unit its fold: the largest first, each to where the classes' shares then are the most even.

    That is where the sum of the squares of the shares grows least: with units of one picture, to the fold with the
    fewest of its class. Of equal folds the smallest is taken, then the first.
    """
    pictures = np.argsort(units, kind="stable")
    members = np.split(pictures, np.cumsum(np.bincount(units))[:-1])
    weights = 1 / np.maximum(np.bincount(split.labels), 1.0) ** 2
    held, sizes = np.zeros((len(weights), count)), np.zeros(count, np.intp)
    homes = np.zeros(len(members), np.intp)
    for unit in _in_order(split.pictures.digests, members, seed):
        labels, numbers = np.unique(split.labels[members[unit]], return_counts=True)
        growth = (weights[labels] * numbers) @ held[labels]
        alike = np.flatnonzero(growth == growth.min())
        homes[unit] = alike[sizes[alike].argmin()]
        held[labels, homes[unit]] += numbers
        sizes[homes[unit]] += len(members[unit])
    return homes


def _in_order(digests: Sequence[str], members: list[Indices], seed: int) -> list[int]:
    """The units by size, the largest first; those of one size as the seed and their content fix."""
    place = [min(position(digests[picture], seed) for picture in unit) for unit in members]
    return sorted(range(len(members)), key=lambda unit: (-len(members[unit]), place[unit]))
