"""Folds: a split divided into parts of equal make-up, by content hash.

Copies of one image, its near-duplicates, and images of one group (a person, a place, a burst of photos) always
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
    """Divide a split into `count` >= 2 folds: for each the indices of its images, ascending, int (n,).

    Each image is in one fold. Without copies and groups a class has as many images in one fold as in another,
    or one more. `families` are a data set's near-duplicates. The content and the seed alone decide. `classes` are
    names for the errors. Raises DatasetError where a class has fewer distinct images, or groups, than folds.
    """
    together = assign_units(split.images.digests, split.groups, families)
    _require_enough(split, count, together, "distinct images" if split.groups is None else "groups", classes)
    homes = _dealt(split, count, seed, together)[together]
    return tuple(np.flatnonzero(homes == number) for number in range(count))


def _require_enough(split: Split, count: int, together: Indices, what: str, classes: Sequence[str]) -> None:
    found = {int(label): len(np.unique(together[split.labels == label])) for label in np.unique(split.labels)}
    rarest = min(found, key=lambda label: found[label])
    if found[rarest] < count:
        name = classes[rarest] if classes else rarest
        # With 2, one judged and one trained on, none is left to choose by: no advice that ends in the next refusal
        advice = f", or take at most {found[rarest]} folds" if found[rarest] > 2 else ", or remove the class"
        raise DatasetError(
            f"class {name} has {found[rarest]} {what}, but {count} folds need at least {count} of each class: add "
            f"images of it{advice}"
        )


def _dealt(split: Split, count: int, seed: int, together: Indices) -> Indices:
    """For each unit its fold: the largest first, each to where the classes' shares then are the most even.

    That is where the sum of the squares of the shares grows least: with units of one image, to the fold with the
    fewest of its class. Of equal folds the smallest is taken, then the first.
    """
    images = np.argsort(together, kind="stable")
    members = np.split(images, np.cumsum(np.bincount(together))[:-1])
    weights = 1 / np.maximum(np.bincount(split.labels), 1.0) ** 2
    held, sizes = np.zeros((len(weights), count)), np.zeros(count, np.intp)
    homes = np.zeros(len(members), np.intp)
    for unit in _in_order(split.images.digests, members, seed):
        labels, numbers = np.unique(split.labels[members[unit]], return_counts=True)
        growth = (weights[labels] * numbers) @ held[labels]
        alike = np.flatnonzero(growth == growth.min())
        homes[unit] = alike[sizes[alike].argmin()]
        held[labels, homes[unit]] += numbers
        sizes[homes[unit]] += len(members[unit])
    return homes


def _in_order(digests: Sequence[str], members: list[Indices], seed: int) -> list[int]:
    """The units by size, the largest first; those of one size as the seed and their content fix."""
    place = [min(position(digests[image], seed) for image in unit) for unit in members]
    return sorted(range(len(members)), key=lambda unit: (-len(members[unit]), place[unit]))
