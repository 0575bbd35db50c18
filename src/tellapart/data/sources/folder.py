"""Read images from class folders, with or without split folders above them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.data.dataset import Dataset, Skipped
from tellapart.data.decoding.formats import SUFFIXES
from tellapart.data.sources.class_names import (
    canonical,
    parse_excluded,
    require_distinct_case,
    require_printable,
    require_two_classes,
)
from tellapart.data.sources.hash_index import FileList, hash_files
from tellapart.data.sources.listing import (
    Item,
    classify,
    entries,
    is_folder,
    is_hidden,
    kind_of,
    kinds_text,
    visible_entries,
    walk_items,
)
from tellapart.data.sources.misplaced_folders import inner_level, misplaced_hint, require_classes_not_splits
from tellapart.data.sources.tables import TABLES
from tellapart.errors import DatasetError
from tellapart.progress import notify
from tellapart.text import counted

SPLIT_FOLDERS = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Split names by the folder names in use, in lower case."""


@dataclass(frozen=True)
class Level:
    """The contents of a folder: its class folders by class name, and all other items."""

    folder: Path
    classes: Mapping[str, Path]
    items: tuple[Item, ...]


def find_levels(root: Path) -> tuple[dict[str, Level], list[Item]]:
    """Find the level with the class folders, for each split or as `all`, and the items beside class folders.

    Raises DatasetError.
    """
    folders, items = _contents(root)
    parts = _split_folders(root, folders)
    if parts is None:
        require_classes_not_splits(root, folders)
        return {"all": Level(root, _class_folders(root, folders), tuple(items))}, list(map(_stray, items))
    levels: dict[str, Level] = {}
    for split, folder in parts.items():
        level, more = _split_level(folder, levels.get("train"))
        levels[split] = level
        items += [*level.items, *more]
    aside = f"lies beside {' and '.join(folder.name for folder in parts.values())}, and is not read"
    unread = [Item(str(folder), "skipped", aside) for folder in folders if folder not in parts.values()]
    return levels, [*map(_stray, items), *unread]


def _split_level(folder: Path, train: Level | None) -> tuple[Level, list[Item]]:
    """Read a split's folder, or the one with the classes where it holds nothing but that; and the items above it."""
    folders, items = _contents(folder)
    inner = inner_level(folder)
    if inner is None or inner.path == folder or (train and not train.classes.keys() & set(map(canonical, inner.names))):
        return Level(folder, _class_folders(folder, folders), tuple(items)), []
    notify(f"the classes of {folder} are read from {inner.path}")
    folders, below = _contents(inner.path)
    return Level(inner.path, _class_folders(inner.path, folders), tuple(below)), items


def _contents(folder: Path) -> tuple[list[Path], list[Item]]:
    """List the folders, and all other items. Links to folders are folders here: they may collect classes."""
    folders: list[Path] = []
    items: list[Item] = []
    for entry in entries(str(folder)):
        path = Path(entry.path)
        if is_hidden(entry.name) or not is_folder(entry.path):
            items.append(classify(entry))
        elif entry.is_symlink() and folder.resolve().is_relative_to(path.resolve()):
            items.append(Item(entry.path, "skipped", "is a link that leads back to where it lies: not followed"))
        else:
            folders.append(path)
    return folders, items


def _split_folders(root: Path, folders: list[Path]) -> dict[str, Path] | None:
    """Find the folder of each split; None if there are none: a class may be named test or train, too."""
    named = [(SPLIT_FOLDERS[folder.name.lower()], folder) for folder in folders if folder.name.lower() in SPLIT_FOLDERS]
    parts = dict(named)
    has_classes = "train" in parts and any(is_folder(entry.path) for entry in visible_entries(str(parts["train"])))
    if not named or (len(named) < len(folders) and not has_classes):
        return None
    if len(parts) < len(named):
        raise DatasetError(
            f"{root} has {', '.join(f.name for _, f in named)}, of which some mean the same split; expected one "
            f"folder each for train, validation and test"
        )
    return {split: parts[split] for split in ("train", "validation", "test") if split in parts}


def _class_folders(parent: Path, folders: list[Path]) -> dict[str, Path]:
    by_class: dict[str, Path] = {}
    for folder in folders:
        other = by_class.setdefault(canonical(folder.name), folder)
        if other != folder:
            raise DatasetError(
                f"{parent} has two folders whose names look the same, {other.name!a} and {folder.name!a}: "
                f"put their images into one"
            )
    return by_class


def _stray(item: Item) -> Item:
    if item.kind != "image":
        return item
    return replace(item, kind="skipped", reason="lies beside the class folders: move it into one of them")


def read_folder(root: Path, exclude: Sequence[str] = ()) -> Dataset:
    """Read a folder of class folders, apart from the classes to exclude. Raises DatasetError."""
    levels, items = find_levels(root)
    levels, unlabelled, items = _without_unlabelled(root, levels, items)
    if not any(level.classes for level in levels.values()):
        raise DatasetError(_no_images_message(root, levels))
    classes = _classes(root, levels, exclude)
    listed: dict[str, FileList] = {}
    for split, level in levels.items():
        listed[split], more = _list_files(classes, level, str(root))
        items += more
    _require_images(root, classes, listed, levels, items)
    empty = [str(levels[split].folder) for split, files in listed.items() if not files.paths]
    if empty:
        raise DatasetError(f"{' and '.join(empty)} has no images: add some, or remove the folder")
    splits, unread = hash_files(listed)
    skipped = [*(Skipped(item.path, item.reason) for item in items if item.kind == "skipped"), *unread]
    return Dataset(
        root.resolve().name,
        classes,
        splits,
        skipped=tuple(sorted(skipped, key=lambda skip: skip.path)),
        others=tuple(sorted(item.path for item in items if item.kind == "other")),
        unlabelled=unlabelled,
    )


def _without_unlabelled(
    root: Path, levels: dict[str, Level], items: list[Item]
) -> tuple[dict[str, Level], tuple[str, ...], list[Item]]:
    """Set aside the splits for judging that have none of the classes of train, with the images in them."""
    train = levels.get("train")
    if train is None or not train.classes:
        return levels, (), items
    kept = {split: level for split, level in levels.items() if level.classes.keys() & train.classes.keys()}
    unlabelled: list[str] = []
    for split, level in levels.items():
        if split in kept:
            continue
        below = [item for folder in level.classes.values() for item in walk_items(str(folder), str(root))]
        images = [item.path for item in (*level.items, *below) if item.kind == "image"]
        items += [item for item in below if item.kind != "image"]
        unlabelled += images
        notify(
            f"{level.folder} has none of the class folders of train, so its {counted(len(images), 'image')} cannot be "
            f"used for {split}: another {split} split is drawn. `tellapart predict` classifies them afterwards"
        )
    aside = set(unlabelled)
    return kept, tuple(sorted(unlabelled)), [item for item in items if item.path not in aside]


def _classes(root: Path, levels: Mapping[str, Level], exclude: Sequence[str]) -> tuple[str, ...]:
    spelled: dict[str, set[str]] = {}
    for level in levels.values():
        for name, folder in level.classes.items():
            spelled.setdefault(name, set()).add(folder.name)
    names = sorted(spelled.keys() - parse_excluded(exclude, spelled, str(root)))
    require_printable(names, f"class folder {{}} of {root}")
    require_distinct_case(names, str(root))
    folders = [folder for level in levels.values() for folder in level.classes.values()]
    if len(names) < 2 and not exclude and (hint := misplaced_hint(folders)):
        raise DatasetError(f"{root} has one folder, {folders[0].name!r}, and no images in it: {hint}")
    require_two_classes(
        names, str(root), f"Give each class a folder of its own{_table_hint(root)}", kind="class folder"
    )
    for name in names:
        if len(spelled[name]) > 1:
            notify(f"{root}: folders spelled {' and '.join(map(ascii, sorted(spelled[name])))} are one class, {name}")
    return tuple(names)


def _list_files(classes: tuple[str, ...], level: Level, root: str) -> tuple[FileList, list[Item]]:
    """List a split's images, by class and name; and whatever else is in its folders."""
    files, rest = FileList(), []
    for label, name in enumerate(classes):
        for item in walk_items(str(level.classes[name]), root) if name in level.classes else ():
            if item.kind == "image":
                files.paths.append(item.path)
                files.labels.append(label)
            else:
                rest.append(item)
    return files, rest


def _require_images(
    root: Path,
    classes: tuple[str, ...],
    listed: Mapping[str, FileList],
    levels: Mapping[str, Level],
    items: Sequence[Item],
) -> None:
    labels = {label for part in listed.values() for label in part.labels}
    if not labels:
        raise DatasetError(_no_images_message(root, levels) + _kinds_hint(items))
    empty = [name for label, name in enumerate(classes) if label not in labels]
    if empty:
        folders = [level.classes[empty[0]] for level in levels.values() if empty[0] in level.classes]
        inside = [item for item in items if any(Path(item.path).is_relative_to(folder) for folder in folders)]
        hint = misplaced_hint([folder for level in levels.values() for folder in level.classes.values()])
        raise DatasetError(
            f"class folder {empty[0]!r} of {root} has no image ({', '.join(SUFFIXES)}): add some, or remove it"
            f"{_kinds_hint(inside)}{hint and '; ' + hint}"
        )


def _kinds_hint(items: Iterable[Item]) -> str:
    """Count files that are no images by kind, as the end of a sentence; nothing where there are none."""
    kinds = Counter(kind_of(item) for item in items)
    return f"; there are {kinds_text(kinds)}" if kinds else ""


def _no_images_message(root: Path, levels: Mapping[str, Level]) -> str:
    counts = {level.folder: sum(item.kind == "image" for item in level.items) for level in levels.values()}
    folder = max(counts, key=lambda folder: counts[folder])
    loose = f"{counts[folder]} images directly in {folder}" if counts[folder] else f"no images in {root}"
    expected = f"one folder per class with its images in it, such as {root}/cat/1.jpg"
    return f"found {loose}; expected {expected}{_table_hint(root)}"


def _table_hint(root: Path) -> str:
    """Suggest a table in the folder that may have the labels."""
    tables = sorted(str(file) for file in root.iterdir() if file.suffix.lower() in TABLES)
    return f"; or name the table that has the labels, such as {tables[0]}" if tables else ""
