"""Which pictures a person means: files, folders, globs, or a list on standard input."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
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
    with os.scandir(folder) as entries:
        found = sorted((entry for entry in entries if not hidden(entry.name)), key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from pictures_under(entry.path)
        elif entry.name.lower().endswith(SUFFIXES):
            yield entry.path


def hidden(name: str) -> bool:
    """Whether a file or folder is not meant for people: dot files, and what macOS puts into archives."""
    return name.startswith(".") or name == "__MACOSX"


def _meant(word: str, stdin: TextIO) -> Iterable[str]:
    if word == "-":
        return (line.rstrip("\n") for line in stdin if line.strip())
    if os.path.isdir(word):  # noqa: PTH112  as strings throughout: 100,000 Path objects would cost 50 MB
        return pictures_under(word)
    if glob.has_magic(word) and not os.path.exists(word):  # noqa: PTH110
        return sorted(glob.glob(word, recursive=True)) or [word]  # noqa: PTH207
    return [word]
