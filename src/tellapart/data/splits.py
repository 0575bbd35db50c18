"""Train, validation and test, drawn by content hash.

The pictures of a class are put in the order of a hash of (seed, content) and cut at the wanted fractions. So
every class has its exact share in every split, a rerun or another machine or another folder layout gets the
same split, and copies of one picture always land on the same side, whatever their labels.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, Split
from tellapart.errors import DatasetError

NAMES = ("train", "validation", "test")
HELD_OUT = 0.15  # for validation, where the person says nothing
HELD_OUT_AT_MOST = 5_000  # pictures: an accuracy is then known to within one point; more would only cost training


def complete(dataset: Dataset, *, validation: float, test: float, seed: int) -> Dataset:
    """Give a data set the splits it lacks; those its owner made stay as they are.

    `validation` and `test` are fractions in [0, 1) of what is divided; a split whose fraction is 0 is not made.
    Raises DatasetError.
    """
    source = "all" if "all" in dataset.splits else "train"
    if source not in dataset.splits:
        raise DatasetError(f"{dataset.name} has only {', '.join(dataset.splits)}: add a train folder")
    wanted = {"validation": validation, "test": test}
    missing = {name: part for name, part in wanted.items() if part > 0 and name not in dataset.splits}
    kept = {name: split for name, split in dataset.splits.items() if name != source}
    splits = _draw(dataset.splits[source], missing, seed) | kept
    return replace(dataset, splits={name: splits[name] for name in NAMES if name in splits})


def validation_share(dataset: Dataset) -> float:
    """The fraction to hold out for validation where the person says nothing."""
    divided = dataset.splits.get("all", dataset.splits.get("train"))
    return min(HELD_OUT, HELD_OUT_AT_MOST / max(len(divided) if divided else 0, 1))


def _draw(split: Split, fractions: Mapping[str, float], seed: int) -> dict[str, Split]:
    digests = np.array(split.pictures.digests)
    distinct, copy_of = np.unique(digests, return_inverse=True)
    counted_as = np.full(len(distinct), np.iinfo(np.int32).max)
    np.minimum.at(counted_as, copy_of, split.labels)  # copies under two labels: the lower one, in any order of files
    positions = np.array([position(digest, seed) for digest in distinct.tolist()])
    homes = np.full(len(distinct), "train", dtype="<U10")
    for label in np.unique(split.labels):
        mine = np.flatnonzero(counted_as == label)
        _cut(homes, mine[np.argsort(positions[mine])], fractions)
    return {name: split.take(np.flatnonzero(homes[copy_of] == name).tolist()) for name in ("train", *fractions)}


def position(digest: str, seed: int) -> float:
    """A number in [0, 1) that the content and the seed fix: uniform over pictures."""
    return int.from_bytes(hashlib.sha256(f"{seed} {digest}".encode()).digest()[:6], "big") / 2**48


def _cut(homes: NDArray[np.str_], ordered: NDArray[np.intp], fractions: Mapping[str, float]) -> None:
    """Take each split's share from the front; at least one picture, where one can be spared for training."""
    start = 0
    for name, fraction in fractions.items():
        share = max(1, math.floor(len(ordered) * fraction + 0.5))
        count = min(share, len(ordered) - start - 1)
        homes[ordered[start : start + max(count, 0)]] = name
        start += max(count, 0)


def require_classes(dataset: Dataset) -> None:
    """Refuse a data set in which a split misses a class. Raises DatasetError that names both."""
    for name in dataset.splits:
        absent = [dataset.classes[i] for i in np.flatnonzero(dataset.counts(name) == 0)]
        if absent:
            raise DatasetError(
                f"the {name} split of {dataset.name} has no picture of {', '.join(absent[:5])}; expected every "
                f"class in every split. Add pictures of it, or remove the class"
            )


def shared(dataset: Dataset) -> dict[tuple[str, str], int]:
    """How many distinct pictures two splits have in common, for each pair that has any: a leak."""
    digests = {name: set(split.pictures.digests) for name, split in dataset.splits.items()}
    names = list(digests)
    pairs = ((a, b) for i, a in enumerate(names) for b in names[i + 1 :])
    return {(a, b): len(digests[a] & digests[b]) for a, b in pairs if digests[a] & digests[b]}
