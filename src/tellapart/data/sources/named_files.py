"""Read a folder whose images have their labels in their paths, found by a regular expression."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.sources.class_names import (
    canonical,
    parse_excluded,
    require_distinct_case,
    require_printable,
    require_two_classes,
)
from tellapart.data.sources.folder import SPLIT_FOLDERS
from tellapart.data.sources.hash_index import FileList, hash_files
from tellapart.data.sources.labels import LabelPattern
from tellapart.data.sources.listing import Item, walk_items
from tellapart.data.splits.draw_splits import SPLIT_NAMES
from tellapart.errors import DatasetError


def read_named_files(root: Path, expression: str, exclude: Sequence[str] = ()) -> Dataset:
    """Read all images of a folder, apart from the classes to exclude. Raises DatasetError.

    The expression is searched for in paths below the folder. Folders train, validation and test in it are splits.
    """
    items = list(walk_items(str(root)))
    images = [item.path for item in items if item.kind == "image"]
    labels = dict(_labels(root, images, LabelPattern.of(expression)))
    if not labels:
        example = f", such as {images[0]}" if images else ""
        raise DatasetError(
            f"--label-from {expression!r} is found in none of the {len(images):,} images of {root}{example}: write an "
            f"expression that is found in their paths"
        )
    leave_out = parse_excluded(exclude, set(labels.values()), str(root))
    classes = tuple(sorted(set(labels.values()) - leave_out))
    require_printable(classes, f"label {{}} in paths of {root}")
    require_distinct_case(classes, str(root))
    require_two_classes(classes, str(root), "Write another expression for --label-from", kind="label")
    listed, beside = _listed(root, labels, classes)
    splits, unread = hash_files(listed)
    return Dataset(
        root.resolve().name,
        classes,
        splits,
        skipped=(*_skipped(items), *beside, *unread),
        others=tuple(item.path for item in items if item.kind == "other"),
        unlabelled=tuple(path for path in images if path not in labels),
    )


def _labels(root: Path, images: Sequence[str], pattern: LabelPattern) -> Iterator[tuple[str, str]]:
    for path in images:
        if label := canonical(pattern.label(os.path.relpath(path, root))):
            yield path, label


def _listed(
    root: Path, labels: Mapping[str, str], classes: tuple[str, ...]
) -> tuple[dict[str, FileList], list[Skipped]]:
    """List the images by split, where there is a folder for training, else as `all`."""
    splits = {path: SPLIT_FOLDERS.get(Path(os.path.relpath(path, root)).parts[0].lower()) for path in labels}
    numbers = {name: number for number, name in enumerate(classes)}
    divided = "train" in splits.values()
    listed: dict[str, FileList] = {}
    beside: list[Skipped] = []
    for path, label in labels.items():
        split = splits[path] if divided else "all"
        if split is None:
            beside.append(Skipped(path, "lies beside the folders of the splits: move it into one of them"))
        elif label in numbers:
            files = listed.setdefault(split, FileList())
            files.paths.append(path)
            files.labels.append(numbers[label])
    return {name: listed[name] for name in (*SPLIT_NAMES, "all") if name in listed}, beside


def _skipped(items: Sequence[Item]) -> Iterator[Skipped]:
    return (Skipped(item.path, item.reason) for item in items if item.kind == "skipped")
