"""Train, validation and test splits, drawn by content hash.

A hash of (seed, content) gives each image a position in [0, 1): the lowest are for test, the next for validation, the
rest for training. So adding images moves none of the old ones, reruns, other machines and other folder layouts give
the same split, and images that belong together stay together: see `assign_units`. Where a source names groups, some of
them may change sides, so that fractions and classes are as near to what was asked as whole groups allow: see `balance`.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import ArrayImages, FileImages, Images
from tellapart.data.splits.balance import NEAR_ENOUGH, balanced_homes
from tellapart.data.splits.grouping import Indices, UnitClasses, assign_units, draw_keys
from tellapart.errors import DatasetError

SPLIT_NAMES = ("train", "validation", "test")
HELD_OUT = 0.15  # for validation, by default
MAX_HELD_OUT = 5_000  # images: an accuracy is then known to within one point; more would only cost training


def draw_splits(dataset: Dataset, *, validation: float, test: float, seed: int) -> Dataset:
    """Draw the splits that a data set lacks; the splits of its source are kept.

    `validation` and `test` are fractions in [0, 1) of the divided images; a split of fraction 0 is not drawn.
    Duplicates, groups of the source and families of near-duplicates stay together. Raises DatasetError.
    """
    source = "all" if "all" in dataset.splits else "train"
    if source not in dataset.splits:
        raise DatasetError(f"{dataset.name} has only {', '.join(dataset.splits)}: add a train folder")
    missing = missing_splits(dataset, validation=validation, test=test)
    kept = {name: split for name, split in dataset.splits.items() if name != source}
    splits = _draw(dataset.splits[source], missing, dataset.families, seed) | kept
    return replace(dataset, splits={name: splits[name] for name in SPLIT_NAMES if name in splits}, drawn=True)


def missing_splits(dataset: Dataset, *, validation: float, test: float) -> dict[str, float]:
    """Return the splits that `draw_splits` will draw, with their fractions."""
    fractions = {"validation": validation, "test": test}
    return {name: fraction for name, fraction in fractions.items() if fraction > 0 and name not in dataset.splits}


def share_notes(dataset: Dataset, divided: Dataset, *, validation: float, test: float) -> tuple[str, ...]:
    """Say for each drawn split of groups that is not as large as asked what was asked, and what it got."""
    asked = missing_splits(dataset, validation=validation, test=test)
    drawn = [divided.splits[name] for name in (*asked, "train") if name in divided.splits]
    groups = [group for split in drawn for group in split.groups or () if group]
    total = sum(map(len, drawn))
    if not groups or not total:
        return ()
    largest = max(Counter(groups).values())
    shares = {name: len(divided.splits[name]) / total for name in asked}
    return tuple(
        f"{name}: asked {asked[name]:.1%}, got {share:.1%}, since groups stay whole: the largest has {largest:,} images"
        for name, share in shares.items()
        if abs(share - asked[name]) > NEAR_ENOUGH
    )


def validation_share(dataset: Dataset) -> float:
    """Return the default fraction to hold out for validation."""
    divided = dataset.splits.get("all", dataset.splits.get("train"))
    return min(HELD_OUT, MAX_HELD_OUT / max(len(divided) if divided else 0, 1))


def position(name: str, seed: int) -> float:
    """Return the position in [0, 1) of a content hash or group name, fixed by the seed: uniform over images."""
    digest = hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _draw(split: Split, fractions: Mapping[str, float], families: Mapping[str, str], seed: int) -> dict[str, Split]:
    together = assign_units(split.images.digests, split.groups, families)
    positions = _unit_positions(draw_keys(split.images.digests, split.groups), together, seed)
    # Training last: since a unit's highest position decides, another duplicate may move images into training, never
    # out of it. Test first: a validation fraction that shrinks as images are added does not change test.
    names = [name for name in reversed(SPLIT_NAMES) if name in fractions or name == "train"]
    edges = np.cumsum([fractions[name] for name in names[:-1]])
    homes = np.searchsorted(edges, positions, side="right")
    _fill_missing_classes(homes, positions, np.array([0.0, *edges, 1.0]), UnitClasses.of(split.labels, together))
    if split.groups is not None and any(split.groups):
        wanted = np.array([*(fractions[name] for name in names[:-1]), 1 - sum(fractions.values())])
        homes = balanced_homes(split.labels, together, homes, positions, wanted)
    return {name: split.take(np.flatnonzero(homes[together] == number).tolist()) for number, name in enumerate(names)}


def _unit_positions(names: Sequence[str], together: Indices, seed: int) -> NDArray[np.float64]:
    """Return the highest position among each unit's images: float64 (units,), in [0, 1)."""
    position_of = {name: position(name, seed) for name in dict.fromkeys(names)}
    positions = np.zeros(together.max(initial=-1) + 1)
    np.maximum.at(positions, together, np.array([position_of[name] for name in names]))
    return positions


def _fill_missing_classes(
    homes: Indices, positions: NDArray[np.float64], edges: NDArray[np.float64], unit_classes: UnitClasses
) -> None:
    """Move to a split that lacks a class its nearest spare unit, in place; training comes first, test last."""
    splits = len(edges) - 1
    counts = unit_classes.counts(homes, splits)
    present = np.flatnonzero(counts.sum(axis=1))
    for home in reversed(range(splits)):
        for label in present[counts[present, home] == 0]:
            mine = unit_classes.units_of(label)
            spare = [unit for unit in mine if (counts[unit_classes.labels_of(unit), homes[unit]] > 1).all()]
            candidates = np.array(spare or (mine if home == splits - 1 else []), np.intp)
            if counts[label, home] or not len(candidates):  # a unit of several classes may have brought it
                continue
            distance = np.maximum(edges[home] - positions[candidates], positions[candidates] - edges[home + 1])
            unit = candidates[distance.argmin()]
            counts[unit_classes.labels_of(unit), homes[unit]] -= 1
            counts[unit_classes.labels_of(unit), home] += 1
            homes[unit] = home


def require_classes(dataset: Dataset) -> None:
    """Refuse a data set in which a split but test lacks a class. Raises DatasetError that names both.

    A test split is judged on the classes that it has.
    """
    for name in [name for name in dataset.splits if name != "test"]:
        missing = [dataset.classes[i] for i in np.flatnonzero(dataset.counts(name) == 0)]
        if missing:
            raise DatasetError(
                f"the {name} split of {dataset.name} has no image of {', '.join(missing[:5])}; expected every "
                f"class in it. Add images of it, or remove the class"
            )


def with_validation_in_train(dataset: Dataset) -> Dataset:
    """Return the data set with its validation images moved behind those for training. Raises DatasetError."""
    train, validation = dataset.splits["train"], dataset.splits["validation"]
    groups = None
    if train.groups is not None or validation.groups is not None:
        groups = (*_groups(train), *_groups(validation))
    labels = np.concatenate([train.labels, validation.labels])
    merged = Split(_concatenate(train.images, validation.images), labels, groups)
    others = {name: split for name, split in dataset.splits.items() if name != "validation"}
    return replace(dataset, splits={**others, "train": merged})


def _groups(split: Split) -> tuple[str, ...]:
    return split.groups if split.groups is not None else ("",) * len(split)


def _concatenate(train: Images, validation: Images) -> Images:
    digests = (*train.digests, *validation.digests)
    if isinstance(train, FileImages) and isinstance(validation, FileImages):
        return FileImages((*train.paths, *validation.paths), digests)
    arrays = [images.array for images in (train, validation) if isinstance(images, ArrayImages)]
    if len(arrays) == 2 and arrays[0].shape[1:] == arrays[1].shape[1:]:
        return ArrayImages(np.concatenate(arrays), digests)
    raise DatasetError("training and validation images are stored in unlike ways or sizes: give one set for both")
