"""Images in folders: one for each class, with or without a folder for each split above them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.image import SUFFIXES
from tellapart.data.sources.class_names import (
    parse_excluded,
    require_distinct_case,
    require_printable,
    require_two_classes,
)
from tellapart.data.sources.folder_layout import Level, find_levels
from tellapart.data.sources.hash_files import FileList, hash_files
from tellapart.data.sources.listing import Item, walk_items
from tellapart.data.sources.tables import TABLES
from tellapart.errors import DatasetError
from tellapart.progress import notify


def read_folder(root: Path, exclude: Sequence[str] = ()) -> Dataset:
    """Read a folder of class folders, apart from the classes to exclude. Raises DatasetError."""
    levels, items = find_levels(root)
    if not any(level.classes for level in levels.values()):
        raise DatasetError(_nothing_in(root, levels))
    classes = _classes(root, levels, exclude)
    listed: dict[str, FileList] = {}
    for split, level in levels.items():
        listed[split], more = _listed(classes, level)
        items += more
    _require_images(root, classes, listed, levels)
    splits, unread = hash_files(listed)
    skipped = [*(Skipped(one.path, one.reason) for one in items if one.kind == "skipped"), *unread]
    return Dataset(
        root.resolve().name,
        classes,
        splits,
        skipped=tuple(sorted(skipped, key=lambda one: one.path)),
        others=tuple(sorted(one.path for one in items if one.kind == "other")),
    )


def _classes(root: Path, levels: Mapping[str, Level], exclude: Sequence[str]) -> tuple[str, ...]:
    spelled: dict[str, set[str]] = {}
    for level in levels.values():
        for name, folder in level.classes.items():
            spelled.setdefault(name, set()).add(folder.name)
    names = sorted(spelled.keys() - parse_excluded(exclude, spelled, str(root)))
    require_printable(names, f"class folder {{}} of {root}")
    require_distinct_case(names, str(root))
    require_two_classes(names, str(root), f"Give each class a folder of its own{_or_table(root)}", kind="class folder")
    for name in names:
        if len(spelled[name]) > 1:
            notify(f"{root}: folders spelled {' and '.join(map(ascii, sorted(spelled[name])))} are one class, {name}")
    return tuple(names)


def _listed(classes: tuple[str, ...], level: Level) -> tuple[FileList, list[Item]]:
    """A split's images, class by class, in the order of their names; and what else its folders hold."""
    listed, rest = FileList(), []
    for label, name in enumerate(classes):
        for one in walk_items(str(level.classes[name])) if name in level.classes else ():
            if one.kind == "image":
                listed.paths.append(one.path)
                listed.labels.append(label)
            else:
                rest.append(one)
    return listed, rest


def _require_images(
    root: Path, classes: tuple[str, ...], listed: Mapping[str, FileList], levels: Mapping[str, Level]
) -> None:
    found = {label for part in listed.values() for label in part.labels}
    if not found:
        raise DatasetError(_nothing_in(root, levels))
    empty = [name for label, name in enumerate(classes) if label not in found]
    if empty:
        raise DatasetError(
            f"class folder {empty[0]!r} of {root} has no image ({', '.join(SUFFIXES)}): add some, or remove it"
        )


def _nothing_in(root: Path, levels: Mapping[str, Level]) -> str:
    loose = {level.folder: sum(one.kind == "image" for one in level.items) for level in levels.values()}
    most = max(loose, key=lambda folder: loose[folder])
    found = f"{loose[most]} images directly in {most}" if loose[most] else f"no images in {root}"
    return (
        f"found {found}; expected one folder per class with its images in it, such as {root}/cat/1.jpg{_or_table(root)}"
    )


def _or_table(root: Path) -> str:
    """What to do where a table lies there that may have the labels."""
    tables = sorted(str(file) for file in root.iterdir() if file.suffix.lower() in TABLES)
    return f"; or name the table that has the labels, such as {tables[0]}" if tables else ""
