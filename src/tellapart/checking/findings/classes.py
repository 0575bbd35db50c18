"""Classes: without images, absent from a split, hardly any images, or far fewer than another."""

import math

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.finding import Finding, Row
from tellapart.checking.locations import Place, Places, row_at
from tellapart.checking.words import counted, listed, shown
from tellapart.data.dataset import Dataset

FEW = 10
"""Distinct images: of fewer the 15 % that are held out are one image, right or wrong by chance."""
NEEDED = 2  # one to learn from and one to be judged by
UNEVEN = 3.0  # largest to smallest class: less hardly shows in what is learned
STEEP = 9.0
"""Largest to smallest class: beyond, a data set counts as highly imbalanced. Source: Fernandez et al., Fuzzy Sets
and Systems 159 (2008), the border that the KEEL repository draws."""


def classes(dataset: Dataset, where: Places) -> list[Finding]:
    """Find classes that cannot be learned or judged well, from how many images they have."""
    found = (_empty(dataset), _missing(dataset), _tiny(dataset, where), _imbalance(dataset))
    return [finding for finding in found if finding]


def _counts(dataset: Dataset) -> NDArray[np.int64]:
    """How many images of each class all splits hold together: int64 (classes,)."""
    every = [split.labels for split in dataset.splits.values()]
    return np.bincount(np.concatenate(every), minlength=len(dataset.classes))


def _names(dataset: Dataset, which: NDArray[np.bool_]) -> list[str]:
    return [dataset.classes[label] for label in np.flatnonzero(which)]


def _empty(dataset: Dataset) -> Finding | None:
    names = _names(dataset, _counts(dataset) == 0)
    if not names:
        return None
    return Finding(
        "empty-class",
        "problem",
        len(names),
        f"{counted(len(names), 'class has', 'classes have')} no image that can be read: {listed(names)}.",
        "Add images of it, or leave the class out with --exclude-label.",
    )


def _missing(dataset: Dataset) -> Finding | None:
    some = _counts(dataset) > 0
    absent = {name: _names(dataset, some & (dataset.counts(name) == 0)) for name in dataset.splits}
    lacking = {name: names for name, names in absent.items() if names}
    if not lacking:
        return None
    parts = [f"{name} split has no image of {listed(names)}" for name, names in lacking.items()]
    return Finding(
        "missing-class",
        "problem",
        sum(len(names) for names in lacking.values()),
        f"The {'; the '.join(parts)}.",
        "Add images of the class to that split, leave the class out with --exclude-label, or give no splits and let "
        "them be drawn.",
    )


def _taught(dataset: Dataset) -> str | None:
    """The split that a classifier learns from, or from which it will be drawn."""
    return next((name for name in ("all", "train") if name in dataset.splits), None)


def _tiny(dataset: Dataset, where: Places) -> Finding | None:
    taught = _taught(dataset)
    distinct = _distinct(where, taught)
    counts = np.bincount([place.label for place in distinct], minlength=len(dataset.classes))
    tiny = np.flatnonzero((counts > 0) & (counts < FEW))
    if not len(tiny):
        return None
    tiny = tiny[np.argsort(counts[tiny], kind="stable")]
    few = [f"{dataset.classes[label]} {counts[label]}" for label in tiny]
    alone = taught == "all" and counts[tiny[0]] < NEEDED
    rows = sorted((one for one in distinct if counts[one.label] < FEW), key=lambda one: (counts[one.label], one.label))
    return Finding(
        "tiny-class",
        "problem" if alone else "warning",
        len(tiny),
        f"{counted(len(tiny), 'class has', 'classes have')} fewer than {FEW} different images{_within(taught)}: "
        f"{listed(few)}{'; one image cannot be both learned from and judged by' if alone else ''}.",
        f"Add images until each class has {FEW} or more, or leave the class out with --exclude-label.",
        tuple(_tiny_row(dataset, place, int(counts[place.label])) for place in rows),
    )


def _distinct(where: Places, split: str | None) -> list[Place]:
    """The images of a split without copies; what stands under two labels once for each."""
    return [one for found in where.values() for one in {one.label: one for one in found if one.split == split}.values()]


def _within(split: str | None) -> str:
    return "" if split == "all" else f" in {split}"


def _tiny_row(dataset: Dataset, place: Place, count: int) -> Row:
    return row_at(dataset, place, detail=f"one of {count}" if count > 1 else "the only one")


def _imbalance(dataset: Dataset) -> Finding | None:
    taught = _taught(dataset)
    counts = dataset.counts(taught) if taught else np.zeros(0, np.int64)
    if not counts.any():
        return None
    some = np.flatnonzero(counts)
    most, least = int(some[counts[some].argmax()]), int(some[counts[some].argmin()])
    ratio = counts[most] / counts[least]
    if ratio < UNEVEN:
        return None
    large = shown(dataset.classes[most])
    return Finding(
        "imbalance",
        "warning" if ratio > STEEP else "note",
        int((counts[some] * UNEVEN <= counts[most]).sum()),
        f"The largest class{_within(taught)}, {large}, has {counted(int(counts[most]), 'image')}, {ratio:,.0f} times "
        f"as many as the smallest, {shown(dataset.classes[least])}, with {counts[least]:,}; always answering {large} "
        f"would be right for {math.floor(100 * counts[most] / counts.sum())}%.",
        "Judge by balanced accuracy or macro F1 rather than by accuracy, and add images of the small classes or "
        "train with --class-weight balanced.",
    )
