"""Folder next to an output file that stores its predictions in parts until all are complete.

settings.json    the settings of the predictions; written first and removed first, and a folder without it is unused
the list file    the images: a path on each line
part-A-B-H       predictions for images A to B (exclusive) of the list whose hash starts with H
"""

import hashlib
import json
import os
import re
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice, pairwise
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

from tellapart.errors import RunError
from tellapart.files import PARTIAL, atomic_stream, atomic_write, exclusive_lock, remove_partials, storage_errors
from tellapart.progress import LINE_EVERY_S, notify
from tellapart.read_files import MAX_LIST_BYTES, ContentError, parse_json, read_content, read_json

SETTINGS, LIST, LOCK = "settings.json", "pictures.jsonl", ".lock"
PART = re.compile(r"part-(\d{12})-(\d{12})-([0-9a-f]{12})\.jsonl")
INDEX_STEP = 64  # lines of the list between two indexed offsets, 8 bytes each
RESTART_ADVICE = "choose another file with --out, or start again with --fresh"


@dataclass(frozen=True)
class BatchSettings:
    """Settings that determine the predictions.

    `bundle` is the SHA-256 of its manifest, `images` that of every path, size and modification time, in order.
    """

    bundle: str
    top: int
    count: int
    images: str

    def changes(self, before: "BatchSettings") -> list[str]:
        """Describe the differences from earlier settings."""
        changes = []
        if self.bundle != before.bundle:
            changes.append("they belong to another bundle")
        if self.top != before.top:
            changes.append(f"--top was {before.top}, now {self.top}")
        if self.count != before.count:
            changes.append(f"there were {before.count:,} images, now {self.count:,}")
        elif self.images != before.images:
            changes.append("the images or their order have changed")
        return changes

    def as_json(self) -> dict[str, Any]:
        """Return the fields for settings.json."""
        return {"bundle": self.bundle, "top": self.top, "count": self.count, "pictures": self.images}


class StoredSettings(TypedDict):
    """The fields of settings.json."""

    bundle: str
    top: int
    count: int
    pictures: str
    replaces: bool


@dataclass(frozen=True)
class PartStore:
    """The predictions so far, in a folder that `part_folder` has locked."""

    folder: Path
    settings: BatchSettings

    def files(self) -> list[Path]:
        """Return the parts in order; after an interruption of several workers, some between them may be missing."""
        paths, end = [], 0
        for name in sorted(os.listdir(self.folder)):  # noqa: PTH208  strings, since there may be many
            part = PART.fullmatch(name)
            if part and int(part[1]) >= end and part[3] == self._list_hash:
                paths.append(self.folder / name)
                end = int(part[2])
        return paths

    @property
    def done(self) -> int:
        """The number of images that are predicted."""
        return sum(end - first for first, end in map(_bounds, self.files()))

    def missing(self) -> list[tuple[int, int]]:
        """Return the ranges of images without a prediction, in order, with exclusive ends."""
        bounds = [(0, 0), *map(_bounds, self.files()), (self.settings.count, self.settings.count)]
        return [(end, first) for (_, end), (first, _) in pairwise(bounds) if end < first]

    def add(self, first: int, lines: Sequence[str]) -> None:
        """Write the predictions from image `first` on, a line of JSON each. Raises StorageError."""
        name = f"part-{first:012}-{first + len(lines):012}-{self._list_hash}.jsonl"
        atomic_write(self.folder / name, "".join(f"{line}\n" for line in lines))

    def images(self, first: int, end: int) -> Iterator[str]:
        """Yield the paths of images `first` to `end` (exclusive)."""
        entry, lines_before = divmod(first, INDEX_STEP)
        with (self.folder / LIST).open("rb") as stream:
            stream.seek(self._line_offsets[entry])
            yield from map(json.loads, islice(stream, lines_before, lines_before + end - first))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield all predictions in order. Raises RunError if a part is damaged."""
        for path in self.files():
            first, end = _bounds(path)
            try:
                rows = [parse_json(line, dict[str, Any]) for line in read_content(path, MAX_LIST_BYTES).splitlines()]
            except (OSError, ContentError) as error:
                raise RunError(f"{path} cannot be read ({error}): start again with --fresh") from error
            if len(rows) != end - first:
                raise RunError(f"{path} has {len(rows)} predictions instead of {end - first}: start again with --fresh")
            yield from rows

    def release(self) -> None:
        """Mark the folder as no longer needed; `part_folder` then removes it."""
        (self.folder / SETTINGS).unlink()

    @cached_property
    def _line_offsets(self) -> "array[int]":
        """The offset of every `INDEX_STEP`th line of the list, which is never in memory as a whole."""
        with (self.folder / LIST).open("rb") as stream:
            return array("q", islice(accumulate(map(len, stream), initial=0), 0, None, INDEX_STEP))

    @property
    def _list_hash(self) -> str:
        return self.settings.images[:12]


def _bounds(path: Path) -> tuple[int, int]:
    first, end = path.name.split("-")[1:3]
    return int(first), int(end)


@contextmanager
def part_folder(out: Path) -> Iterator[Path]:
    """Create and lock the part folder of a file; remove it at the end if released. Raises RunError if in use."""
    folder = out.with_name(f"{out.name}.parts")
    if out.is_dir():
        raise RunError(f"{out} is a folder: choose a file with --out")
    if folder.exists() and (not folder.is_dir() or not all(_is_store_file(name) for name in os.listdir(folder))):  # noqa: PTH208
        raise RunError(f"{folder} has other files, but parts are stored there: choose another file with --out")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    needed = True
    try:
        with exclusive_lock(folder / LOCK, "another command", RESTART_ADVICE):
            remove_partials(folder)
            try:
                yield folder
            finally:
                needed = (folder / SETTINGS).exists()
                if not needed:
                    _clear(folder)
    finally:
        if not needed:
            with suppress(OSError):  # another command may have started there
                (folder / LOCK).unlink()
                folder.rmdir()


def open_part_store(folder: Path, out: Path, images: Iterable[str], *, bundle: str, top: int, fresh: bool) -> PartStore:
    """Start a store for these images, or resume one with the same settings. Raises RunError."""
    if fresh or not (folder / SETTINGS).exists():
        _clear(folder)
        if out.exists() and not fresh:
            raise RunError(f"{out} already exists: {RESTART_ADVICE}")
        with atomic_stream(folder / LIST) as stream:
            settings = BatchSettings(bundle, top, *_scan(images, stream))
        atomic_write(folder / SETTINGS, json.dumps({**settings.as_json(), "replaces": fresh}, indent=2) + "\n")
        return PartStore(folder, settings)
    before, replaces = _read_settings(folder / SETTINGS)
    store = PartStore(folder, BatchSettings(bundle, top, *_scan(images, None)))
    if changes := store.settings.changes(before):
        raise RunError(f"{folder} has predictions to resume, but {'; '.join(changes)}: {RESTART_ADVICE}")
    if out.exists() and not replaces and store.done < before.count:
        raise RunError(f"{out} already exists, as does an unfinished one in {folder}: {RESTART_ADVICE}")
    return store


def _read_settings(path: Path) -> tuple[BatchSettings, bool]:
    try:
        stored = read_json(path, StoredSettings)
        return BatchSettings(stored["bundle"], stored["top"], stored["count"], stored["pictures"]), stored["replaces"]
    except (OSError, ContentError) as error:
        raise RunError(f"{path} cannot be read ({error!r}): start again with --fresh") from error


def _scan(images: Iterable[str], stream: BinaryIO | None) -> tuple[int, str]:
    """Write the paths to `stream`; return their number and hash."""
    digest, count, notified = hashlib.sha256(), 0, time.monotonic()
    for path in images:
        line = json.dumps(path)
        digest.update(f"{line} {_file_state(path)}\n".encode())
        count += 1
        if stream:
            stream.write(f"{line}\n".encode())
        if time.monotonic() - notified >= LINE_EVERY_S:
            notified = time.monotonic()
            notify(f"listing: {count:,} images so far")
    return count, digest.hexdigest()


def _file_state(path: str) -> str:
    """Return a file's size and modification time; its content is read only once, for the prediction."""
    try:
        status = os.stat(path)  # noqa: PTH116  a string, since there may be many
    except (OSError, ValueError):  # ValueError for a path with a NUL
        return "absent"
    return f"{status.st_size} {status.st_mtime_ns}"


def _is_store_file(name: str) -> bool:
    return name in (SETTINGS, LIST, LOCK) or name.startswith(PARTIAL) or bool(PART.fullmatch(name))


def _clear(folder: Path) -> None:
    """Remove everything but the lock, the settings first, so that an interruption cannot leave an invalid store."""
    (folder / SETTINGS).unlink(missing_ok=True)
    for name in os.listdir(folder):  # noqa: PTH208
        if name != LOCK:
            (folder / name).unlink()
