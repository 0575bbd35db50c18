"""Find classes without images, missing from a split, with very few images, or much smaller than others."""

import math

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.finding import Finding, Row
from tellapart.checking.locations import Location, Locations, row_at
from tellapart.data.dataset import Dataset
from tellapart.text import counted, joined, printable

MIN_IMAGES = 10
"""Distinct images of a class: with fewer, the 15 % held out are a single image, correct or incorrect by chance."""
MIN_TO_SPLIT = 2  # one to learn from and one to judge with
NOTABLE_RATIO = 3.0  # largest to smallest class: less hardly affects training
HIGH_RATIO = 9.0
"""Largest to smallest class of a highly imbalanced data set. Source: Fernandez et al., Fuzzy Sets and Systems 159
(2008), the limit that the KEEL repository uses."""


def class_findings(dataset: Dataset, locations: Locations) -> list[Finding]:
    """Find classes that cannot be learned or judged well, from their numbers of images."""
    findings = (_empty(dataset), _missing(dataset), _tiny(dataset, locations), _imbalance(dataset))
    return [finding for finding in findings if finding]


def _total_counts(dataset: Dataset) -> NDArray[np.int64]:
    """Count the images of each class over all splits: int64 (classes,)."""
    labels = [split.labels for split in dataset.splits.values()]
    return np.bincount(np.concatenate(labels), minlength=len(dataset.classes))


def _names(dataset: Dataset, mask: NDArray[np.bool_]) -> list[str]:
    return [dataset.classes[label] for label in np.flatnonzero(mask)]


def _empty(dataset: Dataset) -> Finding | None:
    names = _names(dataset, _total_counts(dataset) == 0)
    if not names:
        return None
    return Finding(
        "empty-class",
        "problem",
        len(names),
        f"{counted(len(names), 'class has', 'classes have')} no image that can be read: {joined(names)}.",
        "Add images of it, or leave the class out with --exclude-label.",
    )


def _missing(dataset: Dataset) -> Finding | None:
    present = _total_counts(dataset) > 0
    absent = {name: _names(dataset, present & (dataset.counts(name) == 0)) for name in dataset.splits}
    missing = {name: names for name, names in absent.items() if names}
    if not missing:
        return None
    parts = [f"{name} split has no image of {joined(names)}" for name, names in missing.items()]
    return Finding(
        "missing-class",
        "warning" if missing.keys() == {"test"} else "problem",  # a test split is judged on what it has
        sum(len(names) for names in missing.values()),
        f"The {'; the '.join(parts)}.",
        "Add images of the class to that split, leave the class out with --exclude-label, or pass no splits and let "
        "them be drawn.",
    )


def _training_split(dataset: Dataset) -> str | None:
    """Return the split that a classifier is trained on, or from which it will be drawn."""
    return next((name for name in ("all", "train") if name in dataset.splits), None)


def _tiny(dataset: Dataset, locations: Locations) -> Finding | None:
    training = _training_split(dataset)
    distinct = _distinct(locations, training)
    counts = np.bincount([location.label for location in distinct], minlength=len(dataset.classes))
    tiny = np.flatnonzero((counts > 0) & (counts < MIN_IMAGES))
    if not len(tiny):
        return None
    tiny = tiny[np.argsort(counts[tiny], kind="stable")]
    sizes = [f"{dataset.classes[label]} {counts[label]}" for label in tiny]
    too_few = training == "all" and counts[tiny[0]] < MIN_TO_SPLIT
    rows = sorted(
        (location for location in distinct if counts[location.label] < MIN_IMAGES),
        key=lambda location: (counts[location.label], location.label),
    )
    return Finding(
        "tiny-class",
        "problem" if too_few else "warning",
        len(tiny),
        f"{counted(len(tiny), 'class has', 'classes have')} fewer than {MIN_IMAGES} distinct images"
        f"{_within(training)}: {joined(sizes)}"
        f"{'; one image cannot both train and judge a classifier' if too_few else ''}.",
        f"Add images until each class has {MIN_IMAGES} or more, or leave the class out with --exclude-label.",
        tuple(_tiny_row(dataset, location, int(counts[location.label])) for location in rows),
    )


def _distinct(locations: Locations, split: str | None) -> list[Location]:
    """Return the images of a split without duplicates; an image under two labels appears once for each."""
    by_label = (
        {location.label: location for location in copies if location.split == split} for copies in locations.values()
    )
    return [location for copies in by_label for location in copies.values()]


def _within(split: str | None) -> str:
    return "" if split == "all" else f" in {split}"


def _tiny_row(dataset: Dataset, location: Location, count: int) -> Row:
    return row_at(dataset, location, detail=f"one of {count}" if count > 1 else "the only one")


def _imbalance(dataset: Dataset) -> Finding | None:
    training = _training_split(dataset)
    counts = dataset.counts(training) if training else np.zeros(0, np.int64)
    if not counts.any():
        return None
    present = np.flatnonzero(counts)
    largest, smallest = int(present[counts[present].argmax()]), int(present[counts[present].argmin()])
    ratio = counts[largest] / counts[smallest]
    if ratio < NOTABLE_RATIO:
        return None
    name = printable(dataset.classes[largest])
    return Finding(
        "imbalance",
        "warning" if ratio > HIGH_RATIO else "note",
        int((counts[present] * NOTABLE_RATIO <= counts[largest]).sum()),
        f"The largest class{_within(training)}, {name}, has {counted(int(counts[largest]), 'image')}, {ratio:,.0f} "
        f"times as many as the smallest, {printable(dataset.classes[smallest])}, with {counts[smallest]:,}; always "
        f"predicting {name} would be {math.floor(100 * counts[largest] / counts.sum())}% accurate.",
        "Compare balanced accuracy or macro F1 rather than accuracy, and add images of the small classes or train "
        "with --class-weight balanced.",
    )
