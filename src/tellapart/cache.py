"""The cache on disk: what it holds, for which data set and backbone, when it was last used, and how to make room.

`note_use` writes down each use of an entry, in `uses/`. Only what has the names and files of the cache's own entries is
counted as an entry, and nothing else is ever removed.
"""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from tellapart.errors import RunError, StorageError
from tellapart.files import atomic_write, cache_folder, remove_folder
from tellapart.read_files import ContentError, read_json

HASH, UUID = r"[0-9a-f]{64}", r"[0-9a-f]{32}"
USES = "uses"
ENTRIES: Mapping[str, tuple[str, str]] = {
    "pixels": (HASH, r"pixels\.npy|unreadable\.json"),
    "features": (HASH, rf"{UUID}\.(npy|json)"),
    "graphs": (rf"(imagenet-)?{HASH}", r"model\.(xml|bin)"),
    "facts": (r"[\w.-]+", rf"{UUID}\.npz"),
}
"""For each kind of entry the names of its folders, and of the files in one."""
UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


class Record(TypedDict):
    """The content of a file in `uses/`."""

    datasets: list[str]
    backbone: str


@dataclass(frozen=True)
class CacheEntry:
    """One folder of the cache, which can be made again.

    `kind` is one of ENTRIES; `datasets` and `backbone` are as recorded, and empty for entries of earlier versions.
    `used` is the time of the last use, in seconds of the epoch.
    """

    folder: Path
    kind: str
    bytes: int
    used: float
    datasets: tuple[str, ...] = ()
    backbone: str = ""


def note_use(folder: Path, *, dataset: str | None = None, backbone: str | None = None) -> None:
    """Record that an entry is used now, and for what. A cache that cannot be written is not an error."""
    path = _record(folder)
    known = _read_record(path)
    datasets = sorted({*known[0], dataset} if dataset else {*known[0]})
    record = {"datasets": datasets, "backbone": backbone or known[1]}
    with suppress(OSError, StorageError):
        if path.exists() and (tuple(datasets), record["backbone"]) == known:
            os.utime(path)
        else:
            atomic_write(path, json.dumps(record))


def cache_entries() -> tuple[CacheEntry, ...]:
    """List the entries of the cache, the most recently used first."""
    entries = [entry for kind in ENTRIES for entry in _entries_of(kind)]
    return tuple(sorted(entries, key=lambda entry: entry.used, reverse=True))


def cache_bytes() -> int:
    """Measure the size of the whole cache folder, other files in it included."""
    return sum(file.lstat().st_size for file in cache_folder().rglob("*") if not file.is_dir())


def make_room(limit_bytes: int) -> tuple[CacheEntry, ...]:
    """Remove the least recently used entries until all together have at most `limit_bytes`. Returns those removed.

    A training that uses an entry meanwhile fails, and resumes. Raises StorageError.
    """
    entries = list(cache_entries())
    total, removed = sum(entry.bytes for entry in entries), []
    while entries and total > limit_bytes:
        entry = entries.pop()
        try:
            remove_folder(entry.folder)
        except OSError as error:
            raise StorageError(f"{entry.folder} cannot be removed: {error.strerror or error}") from error
        _record(entry.folder).unlink(missing_ok=True)
        total -= entry.bytes
        removed.append(entry)
    return tuple(removed)


def parse_size(text: str) -> int:
    """Parse a size such as 500MB, 10GB or 1.5 TB into bytes, in units of 1,000. Raises RunError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", text.strip().lower())
    if not match:
        raise RunError(f"the size is {text!r}; expected one such as 500MB or 10GB")
    return int(float(match[1]) * UNITS[match[2]])


def _entries_of(kind: str) -> Iterator[CacheEntry]:
    names, files = ENTRIES[kind]
    parent = cache_folder() / kind
    if parent.is_symlink() or not parent.is_dir():
        return
    for folder in sorted(parent.iterdir()):
        sizes = _sizes(folder, files) if re.fullmatch(names, folder.name) else None
        if sizes is not None:
            record = _record(folder)
            used = (record if record.exists() else folder).stat().st_mtime
            yield CacheEntry(folder, kind, sum(sizes), used, *_read_record(record))


def _sizes(folder: Path, files: str) -> list[int] | None:
    """Return the sizes of a folder's files; None where it has anything that the cache does not write there."""
    if not stat.S_ISDIR(folder.lstat().st_mode):
        return None
    contents = list(folder.iterdir())
    states = [path.lstat() for path in contents]
    own = all(re.fullmatch(files, path.name) for path in contents) and all(stat.S_ISREG(s.st_mode) for s in states)
    return [state.st_size for state in states] if own and contents else None


def _record(folder: Path) -> Path:
    return folder.parents[1] / USES / f"{folder.parent.name}-{folder.name}.json"


def _read_record(path: Path) -> tuple[tuple[str, ...], str]:
    """Read the data sets and the backbone of an entry; empty where nothing was recorded, or it is damaged."""
    try:
        record = read_json(path, Record)
        return tuple(record["datasets"]), record["backbone"]
    except (OSError, ContentError):
        return (), ""
