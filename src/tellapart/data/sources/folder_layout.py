"""Layout of a folder: the class folders of each split, and the files beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.data.sources.class_names import canonical
from tellapart.data.sources.listing import Item, classify, entries, is_folder, is_hidden, visible_entries
from tellapart.errors import DatasetError

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
        return {"all": Level(root, _class_folders(root, folders), tuple(items))}, list(map(_stray, items))
    levels: dict[str, Level] = {}
    for split, folder in parts.items():
        inner, more = _contents(folder)
        levels[split] = Level(folder, _class_folders(folder, inner), tuple(more))
        items += more
    aside = f"lies beside {' and '.join(folder.name for folder in parts.values())}, and is not read"
    unread = [Item(str(folder), "skipped", aside) for folder in folders if folder not in parts.values()]
    return levels, [*map(_stray, items), *unread]


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
