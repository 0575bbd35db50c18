"""Leave out the images that a person has marked in a table of findings."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset, Skipped, Split
from tellapart.data.findings_csv import Mark, and_more, read_marks
from tellapart.errors import DatasetError
from tellapart.progress import notify

LEFT_OUT = "left out by "
FORMER_WORD = "picture"  # tables of earlier versions name the images of arrays by it
FORMER_NAME = re.compile(rf"{FORMER_WORD} (?=[0-9a-f]{{12}}$)")


def apply_skips(dataset: Dataset, table: Path) -> Dataset:
    """Leave out the images that are marked in a table of findings and list them in `skipped`.

    Raises DatasetError where nothing is marked, a line is not understood, a marked image is missing or is no longer
    the one that was checked, or a class or a split would be left without images.
    """
    marks = read_marks(table)
    if not marks:
        raise DatasetError(
            f"nothing is marked in {table}: put an x in the column skip of each image to leave out, or omit the "
            f"the table"
        )
    marked = _find_marked(dataset, marks, table)
    splits = {name: _without(split, name, marked) for name, split in dataset.splits.items()}
    _require_images(dataset, splits, table)
    by_line = sorted(marked.items(), key=lambda item: item[1].line)
    notify(f"left out {len(by_line):,} of {sum(map(len, dataset.splits.values())):,} images, as marked in {table}")
    skipped = (Skipped(_name(dataset, position), _reason(table, mark)) for position, mark in by_line)
    return replace(dataset, splits=splits, skipped=(*dataset.skipped, *skipped))


def is_user_skip(skipped: Skipped) -> bool:
    """Return True for an image that was left out on request, False for one that could not be read."""
    return skipped.reason.startswith(LEFT_OUT)


Position = tuple[str, int]
"""An image: its split, and its index there."""


def _find_marked(dataset: Dataset, marks: Sequence[Mark], table: Path) -> dict[Position, Mark]:
    """Find the marked images, each with its first mark. Raises DatasetError for one that is missing or has changed."""
    by_path = _positions_by_path(dataset, {mark.path for mark in marks})
    ignored = {skipped.path for skipped in dataset.skipped} | set(dataset.others)
    marked: dict[Position, Mark] = {}
    missing: list[tuple[int, str]] = []
    changed: list[tuple[int, str]] = []
    repeats: Counter[tuple[str, str, str, str]] = Counter()
    for mark in marks:
        candidates = _narrow(dataset, by_path.get(mark.path, ()), mark)
        same = [at for at in candidates if mark.digest in ("", dataset.splits[at[0]].images.digests[at[1]])]
        if same:
            # Duplicates in an array have one name: the second such line of a finding means the second duplicate.
            key = (mark.finding, mark.path, mark.split, mark.label)
            marked.setdefault(same[min(repeats[key], len(same) - 1)], mark)
            repeats[key] += 1
        elif candidates:
            changed.append((mark.line, mark.path))
        elif mark.path not in ignored:
            missing.append((mark.line, mark.path))
    _require_as_checked(dataset, missing, changed, table)
    return marked


def _positions_by_path(dataset: Dataset, paths: set[str]) -> Mapping[str, Sequence[Position]]:
    """Find the images of these names, also where the table spells a path differently or has a former name."""
    positions: defaultdict[str, list[Position]] = defaultdict(list)
    for position, name in _names(dataset):
        if name in paths:
            positions[name].append(position)
    if unknown := paths - positions.keys():
        by_spelling = {os.path.abspath(FORMER_NAME.sub("image ", path)): path for path in unknown}  # noqa: PTH100
        for position, name in _names(dataset):
            path = by_spelling.get(os.path.abspath(name))  # noqa: PTH100
            if path is not None:
                positions[path].append(position)
    return positions


def _names(dataset: Dataset) -> Iterator[tuple[Position, str]]:
    for split, part in dataset.splits.items():
        for index in range(len(part)):
            yield (split, index), part.images.name(index)


def _name(dataset: Dataset, position: Position) -> str:
    return dataset.splits[position[0]].images.name(position[1])


def _narrow(dataset: Dataset, positions: Sequence[Position], mark: Mark) -> Sequence[Position]:
    """Narrow several images of one name to those with the marked label, and of these to those in its split."""
    if len(positions) < 2:
        return positions
    same_label = [at for at in positions if dataset.classes[int(dataset.splits[at[0]].labels[at[1]])] == mark.label]
    return [at for at in same_label if at[0] == mark.split] or same_label


def _require_as_checked(
    dataset: Dataset, missing: Sequence[tuple[int, str]], changed: Sequence[tuple[int, str]], table: Path
) -> None:
    if missing:
        line, path = missing[0]
        raise DatasetError(
            f"line {line} of {table} marks {path!r}, which is not in {dataset.name}{and_more(missing)}: remove the "
            f"mark, or check the images as they are now with tellapart check"
        )
    if changed:
        line, path = changed[0]
        raise DatasetError(
            f"line {line} of {table} marks {path!r}, which is another image than the one that was checked"
            f"{and_more(changed)}: check the images as they are now with tellapart check"
        )


def _without(split: Split, name: str, marked: Iterable[Position]) -> Split:
    kept = np.ones(len(split), dtype=bool)
    kept[[index for split_name, index in marked if split_name == name]] = False
    return split if kept.all() else split.take(np.flatnonzero(kept).tolist())


def _require_images(dataset: Dataset, splits: Mapping[str, Split], table: Path) -> None:
    for name, split in splits.items():
        if len(dataset.splits[name]) and not len(split):
            raise DatasetError(f"{table} marks all images of the {name} split of {dataset.name}: keep some of them")
    before, after = _labels(dataset.splits), _labels(splits)
    if emptied := [dataset.classes[label] for label in sorted(before - after)]:
        others = f" and of {len(emptied) - 1:,} others" if len(emptied) > 1 else ""
        raise DatasetError(
            f"{table} marks all images of class {emptied[0]!r} of {dataset.name}{others}: keep some of them, "
            f"or leave the class out with --exclude-label"
        )


def _labels(splits: Mapping[str, Split]) -> set[int]:
    return {int(label) for split in splits.values() for label in np.unique(split.labels)}


def _reason(table: Path, mark: Mark) -> str:
    return f"{LEFT_OUT}{table.name}, line {mark.line} ({mark.finding})"
