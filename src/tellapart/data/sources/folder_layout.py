"""Where in a folder each split has its class folders, and what lies beside them."""

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
"""How people call the splits, in lower case."""


@dataclass(frozen=True)
class Level:
    """What lies directly in a folder: the folder of each class by the class's name, and all that is no folder."""

    folder: Path
    classes: Mapping[str, Path]
    items: tuple[Item, ...]


def find_levels(root: Path) -> tuple[dict[str, Level], list[Item]]:
    """The level that has the class folders, for each split, or as `all`; and what lies beside class folders.

    Raises DatasetError.
    """
    folders, items = _directly_in(root)
    parts = _parts(root, folders)
    if parts is None:
        return {"all": Level(root, _by_class(root, folders), tuple(items))}, [_stray(one) for one in items]
    levels: dict[str, Level] = {}
    for split, folder in parts.items():
        inner, more = _directly_in(folder)
        levels[split] = Level(folder, _by_class(folder, inner), tuple(more))
        items += more
    aside = f"lies beside {' and '.join(folder.name for folder in parts.values())}, and is not read"
    unread = [Item(str(folder), "skipped", aside) for folder in folders if folder not in parts.values()]
    return levels, [*map(_stray, items), *unread]


def _directly_in(folder: Path) -> tuple[list[Path], list[Item]]:
    """The folders and all else. Links to folders count here, since people gather classes by them."""
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


def _parts(root: Path, folders: list[Path]) -> dict[str, Path] | None:
    """Find the folder of each split; None where there are none, since a class may be called test or train."""
    named = [(SPLIT_FOLDERS[folder.name.lower()], folder) for folder in folders if folder.name.lower() in SPLIT_FOLDERS]
    parts = dict(named)
    divided = "train" in parts and any(is_folder(entry.path) for entry in visible_entries(str(parts["train"])))
    if not named or (len(named) < len(folders) and not divided):
        return None
    if len(parts) < len(named):
        raise DatasetError(
            f"{root} has {', '.join(f.name for _, f in named)}, of which some mean the same split; expected one "
            f"folder each for train, validation and test"
        )
    return {split: parts[split] for split in ("train", "validation", "test") if split in parts}


def _by_class(where: Path, folders: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        other = found.setdefault(canonical(folder.name), folder)
        if other != folder:
            raise DatasetError(
                f"{where} has two folders whose names look the same, {other.name!a} and {folder.name!a}: "
                f"put their images into one"
            )
    return found


def _stray(one: Item) -> Item:
    if one.kind != "image":
        return one
    return replace(one, kind="skipped", reason="lies beside the class folders: move it into one of them")
