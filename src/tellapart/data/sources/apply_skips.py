"""Leave out the images that a person has marked in a table of findings."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset, Skipped, Split
from tellapart.data.findings_csv import Mark, and_more, marked
from tellapart.errors import DatasetError
from tellapart.progress import notify

LEFT_OUT = "left out by "


def apply_skips(dataset: Dataset, table: Path) -> Dataset:
    """Leave out the images that are marked in a table of findings; they are named in `skipped`.

    Raises DatasetError where nothing is marked, a line is not understood, a marked image is not there or is no
    longer the one that was checked, or a class or a split would be left without images.
    """
    marks = marked(table)
    if not marks:
        raise DatasetError(
            f"nothing is marked in {table}: put an x in the column skip of each image to leave out, or leave the "
            f"table away"
        )
    gone = _meant(dataset, marks, table)
    left = {name: _without(split, name, gone) for name, split in dataset.splits.items()}
    _require_images(dataset, left, table)
    skipped = sorted(gone.items(), key=lambda item: item[1].line)
    notify(f"left out {len(skipped):,} of {sum(map(len, dataset.splits.values())):,} images, as marked in {table}")
    told = (Skipped(_name(dataset, at), _reason(table, mark)) for at, mark in skipped)
    return replace(dataset, splits=left, skipped=(*dataset.skipped, *told))


def is_user_skip(skipped: Skipped) -> bool:
    """Whether a person wanted it left out; else it could not be read."""
    return skipped.reason.startswith(LEFT_OUT)


Place = tuple[str, int]
"""An image: its split, and its index there."""


def _meant(dataset: Dataset, marks: Sequence[Mark], table: Path) -> dict[Place, Mark]:
    """Which images are marked, and the first mark of each. Raises DatasetError for what is not as it was checked."""
    named = _named(dataset, {mark.path for mark in marks})
    ignored = {one.path for one in dataset.skipped} | set(dataset.others)
    gone: dict[Place, Mark] = {}
    absent: list[tuple[int, str]] = []
    changed: list[tuple[int, str]] = []
    asked: Counter[tuple[str, str, str, str]] = Counter()
    for mark in marks:
        found = _narrowed(dataset, named.get(mark.path, ()), mark)
        same = [at for at in found if mark.digest in ("", dataset.splits[at[0]].images.digests[at[1]])]
        if same:
            # Copies in an array have one name: the second such line of one finding means the second copy.
            key = (mark.finding, mark.path, mark.split, mark.label)
            gone.setdefault(same[min(asked[key], len(same) - 1)], mark)
            asked[key] += 1
        elif found:
            changed.append((mark.line, mark.path))
        elif mark.path not in ignored:
            absent.append((mark.line, mark.path))
    _require_as_checked(dataset, absent, changed, table)
    return gone


def _named(dataset: Dataset, paths: set[str]) -> Mapping[str, Sequence[Place]]:
    """Where the images of these names stand; files also where the table has another spelling of their path."""
    found: defaultdict[str, list[Place]] = defaultdict(list)
    for at, name in _names(dataset):
        if name in paths:
            found[name].append(at)
    if lost := {os.path.abspath(path): path for path in paths - found.keys()}:  # noqa: PTH100
        for at, name in _names(dataset):
            path = lost.get(os.path.abspath(name))  # noqa: PTH100
            if path is not None:
                found[path].append(at)
    return found


def _names(dataset: Dataset) -> Iterator[tuple[Place, str]]:
    for split, part in dataset.splits.items():
        for index in range(len(part)):
            yield (split, index), part.images.name(index)


def _name(dataset: Dataset, at: Place) -> str:
    return dataset.splits[at[0]].images.name(at[1])


def _narrowed(dataset: Dataset, found: Sequence[Place], mark: Mark) -> Sequence[Place]:
    """Of several images of one name those with the label that was marked, and of these those in its split."""
    if len(found) < 2:
        return found
    alike = [at for at in found if dataset.classes[int(dataset.splits[at[0]].labels[at[1]])] == mark.label]
    return [at for at in alike if at[0] == mark.split] or alike


def _require_as_checked(
    dataset: Dataset, absent: Sequence[tuple[int, str]], changed: Sequence[tuple[int, str]], table: Path
) -> None:
    if absent:
        line, path = absent[0]
        raise DatasetError(
            f"line {line} of {table} marks {path!r}, which is not in {dataset.name}{and_more(absent)}: take the mark "
            f"away, or check the images as they are now with tellapart check"
        )
    if changed:
        line, path = changed[0]
        raise DatasetError(
            f"line {line} of {table} marks {path!r}, which is another image than the one that was checked"
            f"{and_more(changed)}: check the images as they are now with tellapart check"
        )


def _without(split: Split, name: str, gone: Iterable[Place]) -> Split:
    kept = np.ones(len(split), dtype=bool)
    kept[[index for home, index in gone if home == name]] = False
    return split if kept.all() else split.take(np.flatnonzero(kept).tolist())


def _require_images(dataset: Dataset, left: Mapping[str, Split], table: Path) -> None:
    for name, split in left.items():
        if len(dataset.splits[name]) and not len(split):
            raise DatasetError(f"{table} marks all images of the {name} split of {dataset.name}: keep some of them")
    before, after = _labels(dataset.splits), _labels(left)
    if lost := [dataset.classes[label] for label in sorted(before - after)]:
        raise DatasetError(
            f"{table} marks all images of class {lost[0]!r} of {dataset.name}{_and_others(lost)}: keep some of them, "
            f"or leave the class out with --exclude-label"
        )


def _labels(splits: Mapping[str, Split]) -> set[int]:
    return {int(label) for split in splits.values() for label in np.unique(split.labels)}


def _and_others(names: Sequence[str]) -> str:
    return f" and of {len(names) - 1:,} others" if len(names) > 1 else ""


def _reason(table: Path, mark: Mark) -> str:
    return f"{LEFT_OUT}{table.name}, line {mark.line} ({mark.finding})"
