"""Train, validation and test, drawn by content hash.

A hash of (seed, content) gives each image a place between 0 and 1; the lowest places are for test, the next for
validation, the rest for training. So images that are added move none of the old ones, a rerun or another machine or
another folder layout gets the same split, and what belongs together is always on one side: see `units`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, Split
from tellapart.data.splits.grouping import Indices, UnitClasses, assign_units, draw_keys
from tellapart.errors import DatasetError

SPLIT_NAMES = ("train", "validation", "test")
HELD_OUT = 0.15  # for validation, where the person says nothing
MAX_HELD_OUT = 5_000  # images: an accuracy is then known to within one point; more would only cost training


def draw_splits(dataset: Dataset, *, validation: float, test: float, seed: int) -> Dataset:
    """Give a data set the splits it lacks; those its owner made stay as they are.

    `validation` and `test` are fractions in [0, 1) of what is divided; a split whose fraction is 0 is not made.
    Copies, the groups of the source and the families of `checking.families.with_families` stay on one side.
    Raises DatasetError.
    """
    source = "all" if "all" in dataset.splits else "train"
    if source not in dataset.splits:
        raise DatasetError(f"{dataset.name} has only {', '.join(dataset.splits)}: add a train folder")
    missing = missing_splits(dataset, validation=validation, test=test)
    kept = {name: split for name, split in dataset.splits.items() if name != source}
    splits = _draw(dataset.splits[source], missing, dataset.families, seed) | kept
    return replace(dataset, splits={name: splits[name] for name in SPLIT_NAMES if name in splits})


def missing_splits(dataset: Dataset, *, validation: float, test: float) -> dict[str, float]:
    """The splits that `complete` is to draw, and the fraction of each."""
    wanted = {"validation": validation, "test": test}
    return {name: part for name, part in wanted.items() if part > 0 and name not in dataset.splits}


def validation_share(dataset: Dataset) -> float:
    """The fraction to hold out for validation where the person says nothing."""
    divided = dataset.splits.get("all", dataset.splits.get("train"))
    return min(HELD_OUT, MAX_HELD_OUT / max(len(divided) if divided else 0, 1))


def position(name: str, seed: int) -> float:
    """A number in [0, 1) that the content, or a group's name, and the seed fix: uniform over images."""
    digest = hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _draw(split: Split, fractions: Mapping[str, float], families: Mapping[str, str], seed: int) -> dict[str, Split]:
    together = assign_units(split.images.digests, split.groups, families)
    places = _places(draw_keys(split.images.digests, split.groups), together, seed)
    # Training last: where the highest place decides, one more copy may take images into it, never out of it. And
    # test first: a share of validation that shrinks as images are added leaves test alone.
    names = [name for name in reversed(SPLIT_NAMES) if name in fractions or name == "train"]
    edges = np.cumsum([fractions[name] for name in names[:-1]])
    homes = np.searchsorted(edges, places, side="right")
    _stand_in(homes, places, np.array([0.0, *edges, 1.0]), UnitClasses.of(split.labels, together))
    return {name: split.take(np.flatnonzero(homes[together] == number).tolist()) for number, name in enumerate(names)}


def _places(names: Sequence[str], together: Indices, seed: int) -> NDArray[np.float64]:
    """For each unit the highest place among its members: float64 (units,), in [0, 1)."""
    place_of = {name: position(name, seed) for name in dict.fromkeys(names)}
    places = np.zeros(together.max(initial=-1) + 1)
    np.maximum.at(places, together, np.array([place_of[name] for name in names]))
    return places


def _stand_in(homes: Indices, places: NDArray[np.float64], edges: NDArray[np.float64], makeup: UnitClasses) -> None:
    """Give a split that has no unit of a class the nearest one that can be spared; training comes first, test last."""
    splits = len(edges) - 1
    counts = makeup.counts(homes, splits)
    present = np.flatnonzero(counts.sum(axis=1))
    for home in reversed(range(splits)):
        for label in present[counts[present, home] == 0]:
            mine = makeup.units_of(label)
            spare = [unit for unit in mine if (counts[makeup.labels_of(unit), homes[unit]] > 1).all()]
            candidates = np.array(spare or (mine if home == splits - 1 else []), np.intp)
            if counts[label, home] or not len(candidates):  # one may have come with a unit of several classes
                continue
            away = np.maximum(edges[home] - places[candidates], places[candidates] - edges[home + 1])
            unit = candidates[away.argmin()]
            counts[makeup.labels_of(unit), homes[unit]] -= 1
            counts[makeup.labels_of(unit), home] += 1
            homes[unit] = home


def require_classes(dataset: Dataset) -> None:
    """Refuse a data set in which a split misses a class. Raises DatasetError that names both."""
    for name in dataset.splits:
        absent = [dataset.classes[i] for i in np.flatnonzero(dataset.counts(name) == 0)]
        if absent:
            raise DatasetError(
                f"the {name} split of {dataset.name} has no image of {', '.join(absent[:5])}; expected every "
                f"class in every split. Add images of it, or remove the class"
            )


def shared_images(dataset: Dataset) -> dict[tuple[str, str], int]:
    """How many distinct images two splits have in common, for each pair that has any: a leak."""
    digests = {name: set(split.images.digests) for name, split in dataset.splits.items()}
    names = list(digests)
    pairs = ((a, b) for i, a in enumerate(names) for b in names[i + 1 :])
    return {(a, b): len(digests[a] & digests[b]) for a, b in pairs if digests[a] & digests[b]}
