"""List images named by files, folders, globs or standard input, and the contents of folders."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Literal, TextIO

from tellapart.data.decoding.formats import SUFFIXES, ways_out
from tellapart.data.read_image import not_a_file
from tellapart.errors import DatasetError
from tellapart.text import counted, printable

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
LINK = "is a link to a folder, which is not followed"
UNREADABLE = "cannot be read"
KINDS = ((LINK, "link to a folder"), (UNREADABLE, "unreadable"))
"""Kinds of skipped items by the start of the reason; all others are FIFOs, sockets and devices."""
MAX_KIND = 20  # characters of an extension that are shown


def list_images(arguments: Sequence[str], stdin: TextIO) -> "ListedImages":
    """List images in the order of the arguments; a folder's images by name, at any depth. Raises DatasetError."""
    return ListedImages(arguments, stdin)


class ListedImages(Iterator[str]):
    """The paths of the images that arguments name, one at a time, and what is left out of folders on the way.

    An argument that matches nothing is yielded as it is; reading it then raises ImageError. Raises DatasetError where
    nothing is named, or nothing that is named has an image.
    """

    def __init__(self, arguments: Sequence[str], stdin: TextIO) -> None:
        if not arguments:
            raise DatasetError("no image was named; expected files, folders, globs in quotes, or - for standard input")
        self.skipped: Counter[str] = Counter()
        """Counts by kind of what was left out: an extension such as .heic, or another word of `kind_of`."""
        self.empty: list[str] = []
        """Folders without an image, each with a sentence."""
        self._paths = self._list(arguments, stdin)

    def __next__(self) -> str:
        return next(self._paths)

    def _list(self, arguments: Sequence[str], stdin: TextIO) -> Iterator[str]:
        count = 0
        for argument in arguments:
            for path in self._expand(argument, stdin):
                count += 1
                yield path
        if count:
            return
        if self.empty:
            raise DatasetError(f"{self.empty[0]}; expected files that end in {', '.join(SUFFIXES)}")
        raise DatasetError("standard input names no image; expected a path on each line, as `find` prints them")

    def _expand(self, argument: str, stdin: TextIO) -> Iterable[str]:
        if argument == "-":
            return (line.rstrip("\n") for line in stdin if line.strip())
        if glob.has_magic(argument) and not os.path.exists(argument):  # noqa: PTH110
            matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207
            return chain.from_iterable(map(self._under, matches)) if matches else [argument]
        return self._under(argument)

    def _under(self, path: str) -> Iterable[str]:
        # As strings throughout: 100,000 Path objects would cost 50 MB.
        return self._in_folder(path) if is_folder(path) else [path]

    def _in_folder(self, folder: str) -> Iterator[str]:
        skipped: Counter[str] = Counter()
        count = 0
        for item in walk_items(folder):
            if _is_answered(item):
                count += 1
                yield item.path
            else:
                skipped[kind_of(item)] += 1
        self.skipped += skipped
        if not count:
            self.empty.append(f"{folder} has no image" + (f", only {kinds_text(skipped)}" if skipped else ""))


def images_under(folder: str) -> Iterator[str]:
    """Yield the image files of a folder at any depth, by name, without hidden ones and special files."""
    return (item.path for item in walk_items(folder) if _is_answered(item))


def _is_answered(item: "Item") -> bool:
    """Return True for an image; and for one that cannot be read, such as a broken link, so that this is reported."""
    return item.kind == "image" or (item.reason.startswith(UNREADABLE) and is_image(item.path))


def kind_of(item: "Item") -> str:
    """Name the kind of an item that is no image: its extension, or `hidden`, `link to a folder` and the like."""
    name = os.path.basename(item.path)  # noqa: PTH119
    if is_hidden(name):
        return "hidden"
    if item.kind == "skipped":
        return next((kind for start, kind in KINDS if item.reason.startswith(start)), "not a file")
    return os.path.splitext(name)[1].lower() or "no extension"  # noqa: PTH122


def kinds_text(kinds: Mapping[str, int], most: int = 6) -> str:
    """Format counts by kind as `3 files (.heic 2, hidden 1)`, the most frequent first, and how to have them read."""
    ordered = sorted(kinds.items(), key=lambda entry: (-entry[1], entry[0]))
    shown = [f"{printable(kind[:MAX_KIND])} {count:,}" for kind, count in ordered[:most]]
    more = [f"{len(ordered) - most:,} more kinds"] if len(ordered) > most else []
    ways = ways_out(kind for kind, _ in ordered)
    return f"{counted(sum(kinds.values()), 'file')} ({', '.join(shown + more)})" + (ways and f"; {ways}")


@dataclass(frozen=True)
class Item:
    """An item of a folder: an image, by its suffix; another file; or an item that is skipped, with the reason."""

    path: str
    kind: Literal["image", "other", "skipped"]
    reason: str = ""


def walk_items(folder: str, within: str | None = None) -> Iterator[Item]:
    """Yield the items of a folder at any depth, by name. Raises DatasetError.

    No file is opened and no hidden folder entered. Links to folders are followed, unless they lead back, or to what is
    listed in any case: into `within`, by default the folder itself, or to where another link led.
    """
    return _walk(folder, _Entered(folder, within or folder))


def _walk(folder: str, entered: "_Entered") -> Iterator[Item]:
    for entry in entries(folder):
        if is_hidden(entry.name) or not is_folder_entry(entry):
            yield classify(entry)
        elif entry.is_symlink() and (reason := entered.refusal(entry.path)):
            yield Item(entry.path, "skipped", reason)
        else:
            yield from _walk(entry.path, entered)


class _Entered:
    """The real folders that a listing began in or followed a link to, so that no image is listed twice."""

    def __init__(self, *folders: str) -> None:
        self._tops: set[str] = set()
        self._above: set[str] = set()
        for folder in folders:
            self._add(os.path.realpath(folder))

    def refusal(self, link: str) -> str | None:
        """Return why a link to a folder is not followed; or None, and remember where it leads."""
        real = os.path.realpath(link)
        if real in self._above:
            return f"{LINK}: it leads back to a folder above it"
        if not self._tops.isdisjoint({real, *_ancestors(real)}):
            return f"{LINK}: it leads to a folder that is listed itself"
        self._add(real)
        return None

    def _add(self, real: str) -> None:
        self._tops.add(real)
        self._above.update(_ancestors(real))


def _ancestors(path: str) -> Iterator[str]:
    while (parent := os.path.dirname(path)) != path:  # noqa: PTH120
        yield parent
        path = parent


def classify(entry: os.DirEntry[str]) -> Item:
    """Classify an entry that is hidden, or not itself a folder."""
    if is_hidden(entry.name):
        return Item(entry.path, "other")
    if is_folder_entry(entry):
        return Item(entry.path, "skipped", f"{LINK}: move the images here")
    if not entry.is_file(follow_symlinks=False) and (reason := not_a_file(entry.path)):
        return Item(entry.path, "skipped", reason)
    return Item(entry.path, "image" if is_image(entry.name) else "other")


def is_folder(path: str) -> bool:
    """Return True if a path leads to a folder; False also for links to themselves and denied paths."""
    return os.path.isdir(path)  # noqa: PTH112  Path.is_dir would raise


def is_folder_entry(entry: os.DirEntry[str]) -> bool:
    """Return True for a folder, or a link that leads to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def is_image(name: str) -> bool:
    """Return True if a file name has the suffix of an image."""
    return name.lower().endswith(SUFFIXES)


def subfolders(folder: str) -> list[str]:
    """Return the names of a folder's folders; none where it has an image itself. Raises DatasetError."""
    names: list[str] = []
    with _listing_errors(folder), os.scandir(folder) as scanned:
        for entry in scanned:  # unsorted, since a folder of images mostly begins with one
            if is_hidden(entry.name):
                continue
            if is_folder_entry(entry):
                names.append(entry.name)
            elif is_image(entry.name):
                return []
    return sorted(names)


def visible_entries(folder: str) -> list[os.DirEntry[str]]:
    """List a folder's entries by name, without hidden ones. Raises DatasetError if it cannot be listed."""
    return [entry for entry in entries(folder) if not is_hidden(entry.name)]


def entries(folder: str) -> list[os.DirEntry[str]]:
    """List a folder's entries by name. Raises DatasetError if it cannot be listed."""
    with _listing_errors(folder), os.scandir(folder) as scanned:
        return sorted(scanned, key=lambda entry: entry.name)


@contextmanager
def _listing_errors(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"folder {folder} cannot be listed: {error.strerror or error}. Make it readable, or move it away"
        ) from error


def is_hidden(name: str) -> bool:
    """Return True for dot files and for files that systems add."""
    # Names that begin with two dots are not hidden: they may be paths from elsewhere, such as ..\cat.jpg from Windows.
    return (name.startswith(".") and not name.startswith("..")) or name.lower() in SYSTEM_NAMES
