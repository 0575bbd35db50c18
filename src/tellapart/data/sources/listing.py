"""Which images a person means: files, folders, globs, or a list on standard input; and what a folder holds."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, TextIO

from tellapart.data.image import SUFFIXES
from tellapart.data.image_file import not_a_file
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
"""What macOS, Windows and storage boxes put beside a person's files; in lower case."""


def list_images(words: Sequence[str], stdin: TextIO) -> Iterator[str]:
    """Yield paths in the order of the words; a folder's images by name, at any depth. Raises DatasetError.

    A word that names nothing is yielded as it is: reading it says that it is not there.
    """
    if not words:
        raise DatasetError("no image was named; expected files, folders, globs in quotes, or - for standard input")
    for word in words:
        yield from _meant(word, stdin)


def images_under(folder: str) -> Iterator[str]:
    """Yield the image files of a folder at any depth, by name; hidden ones, and what is no file, are left out."""
    for entry in visible_entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from images_under(entry.path)
        elif is_image(entry.name) and (entry.is_symlink() or entry.is_file()):  # who opens a FIFO waits for ever
            yield entry.path


@dataclass(frozen=True)
class Item:
    """Something in a folder: an image by its suffix, another file, or what is left out and why."""

    path: str
    kind: Literal["image", "other", "skipped"]
    reason: str = ""


def walk_items(folder: str) -> Iterator[Item]:
    """Yield what a folder holds at any depth, by name. Raises DatasetError.

    Nothing is opened, and nothing hidden is looked into. A link to a folder is not followed, so that no loop of links
    is ever walked and no image comes twice.
    """
    for entry in entries(folder):
        if entry.is_dir(follow_symlinks=False) and not is_hidden(entry.name):
            yield from walk_items(entry.path)
        else:
            yield classify(entry)


def classify(entry: os.DirEntry[str]) -> Item:
    """What an entry is that is hidden, or no folder itself."""
    if is_hidden(entry.name):
        return Item(entry.path, "other")
    if is_folder(entry.path):
        return Item(entry.path, "skipped", "is a link to a folder, which is not followed: move the images here")
    if not entry.is_file(follow_symlinks=False) and (reason := not_a_file(entry.path)):
        return Item(entry.path, "skipped", reason)
    return Item(entry.path, "image" if is_image(entry.name) else "other")


def is_folder(path: str) -> bool:
    """Whether a path leads to a folder; a link that leads to itself, or nowhere that we may look, does not."""
    return os.path.isdir(path)  # noqa: PTH112  a Path would raise


def is_image(name: str) -> bool:
    """Whether a file's name ends as an image's does."""
    return name.lower().endswith(SUFFIXES)


def visible_entries(folder: str) -> list[os.DirEntry[str]]:
    """What a folder holds, by name, without what is hidden. Raises DatasetError when it cannot be listed."""
    return [entry for entry in entries(folder) if not is_hidden(entry.name)]


def entries(folder: str) -> list[os.DirEntry[str]]:
    """What a folder holds, by name. Raises DatasetError when it cannot be listed."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise DatasetError(
            f"folder {folder} cannot be listed: {error.strerror or error}. Make it readable, or move it away"
        ) from error


def is_hidden(name: str) -> bool:
    """Whether a file or folder is not meant for people: dot files, and what systems put beside them."""
    # Two dots are no custom of hiding: such a name was a path elsewhere, as ..\cat.jpg from Windows.
    return (name.startswith(".") and not name.startswith("..")) or name.lower() in SYSTEM_NAMES


def _meant(word: str, stdin: TextIO) -> Iterable[str]:
    if word == "-":
        return (line.rstrip("\n") for line in stdin if line.strip())
    if glob.has_magic(word) and not os.path.exists(word):  # noqa: PTH110
        found = sorted(glob.glob(word, recursive=True))  # noqa: PTH207
        return chain.from_iterable(_under(path) for path in found) if found else [word]
    return _under(word)


def _under(path: str) -> Iterable[str]:
    # As strings throughout: 100,000 Path objects would cost 50 MB.
    return images_under(path) if is_folder(path) else [path]
