"""Which pictures a person means: files, folders, globs, or a list on standard input."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TextIO

from tellapart.data.picture import SUFFIXES
from tellapart.errors import DatasetError


def listed(words: Sequence[str], stdin: TextIO) -> Iterator[str]:
    """Yield paths in the order of the words; a folder's pictures by name, at any depth. Raises DatasetError.

    A word that names nothing is yielded as it is: reading it says that it is not there.
    """
    if not words:
        raise DatasetError("no picture was named; expected files, folders, globs in quotes, or - for standard input")
    for word in words:
        yield from _meant(word, stdin)


def pictures_under(folder: str) -> Iterator[str]:
    """Yield the picture files of a folder at any depth, by name; hidden ones are left out."""
    for entry in visible(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from pictures_under(entry.path)
        elif entry.name.lower().endswith(SUFFIXES):
            yield entry.path


def visible(folder: str) -> list[os.DirEntry[str]]:
    """What a folder holds, by name, without what is hidden. Raises DatasetError when it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not hidden(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise DatasetError(
            f"folder {folder} cannot be listed: {error.strerror or error}. Make it readable, or move it away"
        ) from error


def hidden(name: str) -> bool:
    """Whether a file or folder is not meant for people: dot files, and what macOS puts into archives."""
    return name.startswith(".") or name == "__MACOSX"


def _meant(word: str, stdin: TextIO) -> Iterable[str]:
    if word == "-":
        return (line.rstrip("\n") for line in stdin if line.strip())
    if glob.has_magic(word) and not os.path.exists(word):  # noqa: PTH110
        found = sorted(glob.glob(word, recursive=True))  # noqa: PTH207
        return chain.from_iterable(_under(path) for path in found) if found else [word]
    return _under(word)


def _under(path: str) -> Iterable[str]:
    # As strings throughout: 100,000 Path objects would cost 50 MB.
    return pictures_under(path) if os.path.isdir(path) else [path]  # noqa: PTH112
