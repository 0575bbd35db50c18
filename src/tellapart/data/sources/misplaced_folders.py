"""Recognise a folder that is named one level too high, and split folders that would become classes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.sources.listing import subfolders
from tellapart.errors import DatasetError
from tellapart.progress import notify
from tellapart.text import joined, printable

MAX_DEPTH = 6  # folders that hold nothing but one folder, below each other
SPLIT_WORD = re.compile(r"train|test|valid|(?<![a-z])(val|dev|eval|folds?|splits?|parts?|batch|set)(?![a-z])")
WORDS_BY_SPLIT = {"train": ("train",), "validation": ("val", "dev"), "test": ("test",)}
SPLITS = (*WORDS_BY_SPLIT, None)


@dataclass(frozen=True)
class Inner:
    """A folder without images of its own that has several folders."""

    path: Path
    names: tuple[str, ...]


def inner_level(folder: Path) -> Inner | None:
    """Find the first folder from here down that has several folders, where none on the way has an image.

    None where there is an image or no folder first.
    """
    for _ in range(MAX_DEPTH):
        below = subfolders(str(folder))
        if not below:
            return None
        if len(below) > 1:
            return Inner(folder, tuple(below))
        folder = folder / below[0]
    return None


def require_classes_not_splits(root: Path, folders: Sequence[Path]) -> None:
    """Refuse folders named as splits are, of which several have folders of the same names. Raises DatasetError.

    Where the names say nothing, this is reported: folders of dates or places below the classes look the same.
    """
    inner_levels = {
        folder.name: inner
        for folder in sorted(folders, key=lambda folder: SPLITS.index(_split_of(folder.name)))
        if (inner := inner_level(folder))
    }
    if len(inner_levels) < 2:
        return
    sets = [set(inner.names) for inner in inner_levels.values()]
    shared = sorted(set.intersection(*sets))
    if 2 * len(shared) < min(map(len, sets)):
        return
    same_names = f"{joined(list(inner_levels), 3)} of {root} have folders of the same names ({joined(shared, 3)})"
    if any(SPLIT_WORD.search(name.lower()) for name in inner_levels):
        raise DatasetError(
            f"{same_names}: are they splits? "
            f"Name them {_proper_names(list(inner_levels))}, or pass {_training(inner_levels).path}"
        )
    if len(inner_levels) == len(folders) and all(names == sets[0] for names in sets):
        notify(f"{same_names}, and become the classes: are those the classes? Then pass {_training(inner_levels).path}")


def misplaced_hint(folders: Sequence[Path]) -> str:
    """Suggest the one folder that has class folders or split folders in it, as half a sentence; else ""."""
    inner_levels = [inner for folder in folders if (inner := inner_level(folder))]
    if len(inner_levels) != 1:
        return ""
    (inner,) = inner_levels
    return f"did you mean {printable(str(inner.path))}, which has the folders {joined(inner.names, 3)}?"


def _proper_names(names: Sequence[str]) -> str:
    proper = list(dict.fromkeys(split for name in names if (split := _split_of(name))))
    return joined(proper if len(proper) == len(names) else list(WORDS_BY_SPLIT))


def _split_of(name: str) -> str | None:
    return next((split for split, words in WORDS_BY_SPLIT.items() if any(word in name.lower() for word in words)), None)


def _training(inner_levels: dict[str, Inner]) -> Inner:
    return next(
        (inner for name, inner in inner_levels.items() if _split_of(name) == "train"), next(iter(inner_levels.values()))
    )
