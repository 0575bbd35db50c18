"""List images named by files, folders, globs or standard input, and the contents of folders."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, TextIO

from tellapart.data.decode import SUFFIXES
from tellapart.data.read_image import not_a_file
from tellapart.errors import DatasetError

SYSTEM_NAMES = frozenset(
    (
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "$recycle.bin",
        "system volume information",
        "@eadir",
    )
)
"""Files and folders that macOS, Windows and storage boxes add to a user's; in lower case."""


def list_images(arguments: Sequence[str], stdin: TextIO) -> Iterator[str]:
    """Yield paths in the order of the arguments; a folder's images by name, at any depth. Raises DatasetError.

    An argument that matches nothing is yielded as it is; reading it then raises ImageError.
    """
    if not arguments:
        raise DatasetError("no image was named; expected files, folders, globs in quotes, or - for standard input")
    for argument in arguments:
        yield from _expand(argument, stdin)


def images_under(folder: str) -> Iterator[str]:
    """Yield the image files of a folder at any depth, by name, without hidden ones and special files."""
    for entry in visible_entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from images_under(entry.path)
        elif is_image(entry.name) and (entry.is_symlink() or entry.is_file()):  # opening a FIFO blocks
            yield entry.path


@dataclass(frozen=True)
class Item:
    """An item of a folder: an image, by its suffix; another file; or an item that is skipped, with the reason."""

    path: str
    kind: Literal["image", "other", "skipped"]
    reason: str = ""


def walk_items(folder: str) -> Iterator[Item]:
    """Yield the items of a folder at any depth, by name. Raises DatasetError.

    No file is opened and no hidden folder entered. Links to folders are not followed, so that no loop of links is
    walked and no image occurs twice.
    """
    for entry in entries(folder):
        if entry.is_dir(follow_symlinks=False) and not is_hidden(entry.name):
            yield from walk_items(entry.path)
        else:
            yield classify(entry)


def classify(entry: os.DirEntry[str]) -> Item:
    """Classify an entry that is hidden, or not itself a folder."""
    if is_hidden(entry.name):
        return Item(entry.path, "other")
    if is_folder(entry.path):
        return Item(entry.path, "skipped", "is a link to a folder, which is not followed: move the images here")
    if not entry.is_file(follow_symlinks=False) and (reason := not_a_file(entry.path)):
        return Item(entry.path, "skipped", reason)
    return Item(entry.path, "image" if is_image(entry.name) else "other")


def is_folder(path: str) -> bool:
    """Return True if a path leads to a folder; False also for links to themselves and denied paths."""
    return os.path.isdir(path)  # noqa: PTH112  Path.is_dir would raise


def is_image(name: str) -> bool:
    """Return True if a file name has the suffix of an image."""
    return name.lower().endswith(SUFFIXES)


def visible_entries(folder: str) -> list[os.DirEntry[str]]:
    """List a folder's entries by name, without hidden ones. Raises DatasetError if it cannot be listed."""
    return [entry for entry in entries(folder) if not is_hidden(entry.name)]


def entries(folder: str) -> list[os.DirEntry[str]]:
    """List a folder's entries by name. Raises DatasetError if it cannot be listed."""
    try:
        with os.scandir(folder) as scanned:
            return sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        raise DatasetError(
            f"folder {folder} cannot be listed: {error.strerror or error}. Make it readable, or move it away"
        ) from error


def is_hidden(name: str) -> bool:
    """Return True for dot files and for files that systems add."""
    # Names that begin with two dots are not hidden: they may be paths from elsewhere, such as ..\cat.jpg from Windows.
    return (name.startswith(".") and not name.startswith("..")) or name.lower() in SYSTEM_NAMES


def _expand(argument: str, stdin: TextIO) -> Iterable[str]:
    if argument == "-":
        return (line.rstrip("\n") for line in stdin if line.strip())
    if glob.has_magic(argument) and not os.path.exists(argument):  # noqa: PTH110
        matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207
        return chain.from_iterable(_under(path) for path in matches) if matches else [argument]
    return _under(argument)


def _under(path: str) -> Iterable[str]:
    # As strings throughout: 100,000 Path objects would cost 50 MB.
    return images_under(path) if is_folder(path) else [path]
