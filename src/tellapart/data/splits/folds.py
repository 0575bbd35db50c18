"""Stratified folds of a split, by content hash.

Duplicates and near-duplicates of an image, and images of one group (a person, a place, a burst of photos), always
share a fold.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tellapart.data.dataset import Split
from tellapart.data.splits.draw_splits import position
from tellapart.data.splits.grouping import Indices, assign_units
from tellapart.errors import DatasetError


def folds(
    split: Split, count: int, seed: int, families: Mapping[str, str] | None = None, *, classes: Sequence[str] = ()
) -> tuple[Indices, ...]:
    """Divide a split into `count` >= 2 folds: the indices of the images of each, ascending, int (n,).

    Each image is in one fold. Without duplicates and groups, the counts of a class differ by at most 1 between folds.
    `families` are a data set's near-duplicates, `classes` names for error messages. Content and seed decide, the order
    of images does not. Raises DatasetError if a class has fewer distinct images, or groups, than folds.
    """
    together = assign_units(split.images.digests, split.groups, families)
    _require_enough(split, count, together, "distinct images" if split.groups is None else "groups", classes)
    homes = _assign_folds(split, count, seed, together)[together]
    return tuple(np.flatnonzero(homes == number) for number in range(count))


def _require_enough(split: Split, count: int, together: Indices, what: str, classes: Sequence[str]) -> None:
    counts = {int(label): len(np.unique(together[split.labels == label])) for label in np.unique(split.labels)}
    rarest = min(counts, key=lambda label: counts[label])
    if counts[rarest] < count:
        name = classes[rarest] if classes else rarest
        # Two folds would be refused next: with one to judge and one to train on, none is left for validation
        advice = f", or take at most {counts[rarest]} folds" if counts[rarest] > 2 else ", or remove the class"
        raise DatasetError(
            f"class {name} has {counts[rarest]} {what}, but {count} folds need at least {count} of each class: add "
            f"images of it{advice}"
        )


def _assign_folds(split: Split, count: int, seed: int, together: Indices) -> Indices:
    """Assign units to folds, the largest first, each to the fold that keeps the shares of its classes most even.

    That is the fold where the sum of squared shares grows least: with units of one image, the fold with the fewest of
    its class. Of equal folds the smallest is taken, then the first.
    """
    images = np.argsort(together, kind="stable")
    members = np.split(images, np.cumsum(np.bincount(together))[:-1])
    weights = 1 / np.maximum(np.bincount(split.labels), 1.0) ** 2
    held, sizes = np.zeros((len(weights), count)), np.zeros(count, np.intp)
    homes = np.zeros(len(members), np.intp)
    for unit in _by_size(split.images.digests, members, seed):
        labels, numbers = np.unique(split.labels[members[unit]], return_counts=True)
        growth = (weights[labels] * numbers) @ held[labels]
        best = np.flatnonzero(growth == growth.min())
        homes[unit] = best[sizes[best].argmin()]
        held[labels, homes[unit]] += numbers
        sizes[homes[unit]] += len(members[unit])
    return homes


def _by_size(digests: Sequence[str], members: list[Indices], seed: int) -> list[int]:
    """Return the units by size, the largest first, and by content hash and seed among equals."""
    rank = [min(position(digests[image], seed) for image in unit) for unit in members]
    return sorted(range(len(members)), key=lambda unit: (-len(members[unit]), rank[unit]))
