"""The folder beside a file of answers in which they gather, part by part, until all are there.

settings.json    whose answers they are; it comes first and goes first, and a folder without it is nobody's
images.jsonl   the images, in order: a path on each line
part-A-B-H       the answers to the images from A to before B, of the list whose hash begins with H
"""

import hashlib
import json
import os
import re
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import accumulate, islice, pairwise
from pathlib import Path
from typing import Any, BinaryIO

from tellapart.errors import RunError
from tellapart.files import PARTIAL, atomic_stream, atomic_write, exclusive_lock, remove_partials, storage_errors
from tellapart.progress import LINE_EVERY_S, notify

SETTINGS, LIST, LOCK = "settings.json", "pictures.jsonl", ".lock"
PART = re.compile(r"part-(\d{12})-(\d{12})-([0-9a-f]{12})\.jsonl")
STEP = 64  # lines of the list from one whose place is known to the next: 8 bytes for each such
BEGIN_AGAIN = "name another file with --out, or begin again with --fresh"


@dataclass(frozen=True)
class BatchSettings:
    """Everything that decides what the answers are.

    `bundle` is the SHA-256 of its manifest, `images` one over each path, size and time of change, in order.
    """

    bundle: str
    top: int
    count: int
    images: str

    def changes(self, before: "BatchSettings") -> list[str]:
        """How this differs from what was asked before, as half sentences."""
        found = []
        if self.bundle != before.bundle:
            found.append("they are another bundle's")
        if self.top != before.top:
            found.append(f"--top was {before.top}, now {self.top}")
        if self.count != before.count:
            found.append(f"there were {before.count:,} images, now {self.count:,}")
        elif self.images != before.images:
            found.append("the images were others, or in another order, or have been changed since")
        return found


@dataclass(frozen=True)
class PartStore:
    """The answers so far, in a folder that `workplace` holds."""

    folder: Path
    asked: BatchSettings

    def files(self) -> list[Path]:
        """The parts, in order; where several workers were stopped, some between them may be missing."""
        found, end = [], 0
        for name in sorted(os.listdir(self.folder)):  # noqa: PTH208  strings: there may be many
            part = PART.fullmatch(name)
            if part and int(part[1]) >= end and part[3] == self._mark:
                found.append(self.folder / name)
                end = int(part[2])
        return found

    @property
    def done(self) -> int:
        """How many images have been answered."""
        return sum(end - first for first, end in map(_bounds, self.files()))

    def missing(self) -> list[tuple[int, int]]:
        """The images without an answer: from a number to before another, in order."""
        bounds = [(0, 0), *map(_bounds, self.files()), (self.asked.count, self.asked.count)]
        return [(end, first) for (_, end), (first, _) in pairwise(bounds) if end < first]

    def keep(self, first: int, lines: Sequence[str]) -> None:
        """Write the answers from image `first` on, a line of JSON each. Raises StorageError."""
        name = f"part-{first:012}-{first + len(lines):012}-{self._mark}.jsonl"
        atomic_write(self.folder / name, "".join(f"{line}\n" for line in lines))

    def images(self, first: int, end: int) -> Iterator[str]:
        """The paths from number `first` to before `end`."""
        place, before = divmod(first, STEP)
        with (self.folder / LIST).open("rb") as stream:
            stream.seek(self._starts[place])
            yield from map(json.loads, islice(stream, before, before + end - first))

    def rows(self) -> Iterator[dict[str, Any]]:
        """All answers, in order. Raises RunError where a part is not as it was written."""
        for path in self.files():
            first, end = _bounds(path)
            try:
                with path.open("rb") as stream:
                    rows = [json.loads(line) for line in stream]
            except ValueError as error:
                raise RunError(f"{path} cannot be read ({error}): begin again with --fresh") from error
            if len(rows) != end - first:
                raise RunError(f"{path} holds {len(rows)} answers instead of {end - first}: begin again with --fresh")
            yield from rows

    def disown(self) -> None:
        """Say that the answers are needed no longer: `workplace` then removes the folder."""
        (self.folder / SETTINGS).unlink()

    @cached_property
    def _starts(self) -> "array[int]":
        """Where every `STEP`th line of the list begins: the list itself is never held."""
        with (self.folder / LIST).open("rb") as stream:
            return array("q", islice(accumulate(map(len, stream), initial=0), 0, None, STEP))

    @property
    def _mark(self) -> str:
        return self.asked.images[:12]


def _bounds(path: Path) -> tuple[int, int]:
    first, end = path.name.split("-")[1:3]
    return int(first), int(end)


@contextmanager
def workplace(out: Path) -> Iterator[Path]:
    """Hold the folder of parts of a file, removed when nothing in it is needed. Raises RunError when in use."""
    folder = out.with_name(f"{out.name}.parts")
    if out.is_dir():
        raise RunError(f"{out} is a folder: name a file with --out")
    if folder.exists() and (not folder.is_dir() or not all(_ours(name) for name in os.listdir(folder))):  # noqa: PTH208
        raise RunError(f"{folder} is in use for something else, and parts are kept there: name another file with --out")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    needed = True
    try:
        with exclusive_lock(folder / LOCK, "another command", BEGIN_AGAIN):
            remove_partials(folder)
            try:
                yield folder
            finally:
                needed = (folder / SETTINGS).exists()
                if not needed:
                    _clear(folder)
    finally:
        if not needed:
            with suppress(OSError):  # someone else may have begun there just now
                (folder / LOCK).unlink()
                folder.rmdir()


def claim(folder: Path, out: Path, images: Iterable[str], *, bundle: str, top: int, fresh: bool) -> PartStore:
    """Begin with these images, or find in the folder what was begun with the same. Raises RunError."""
    if fresh or not (folder / SETTINGS).exists():
        _clear(folder)
        if out.exists() and not fresh:
            raise RunError(f"{out} is there already: {BEGIN_AGAIN}")
        with atomic_stream(folder / LIST) as stream:
            asked = BatchSettings(bundle, top, *_noted(images, stream))
        atomic_write(folder / SETTINGS, json.dumps({**asdict(asked), "replaces": fresh}, indent=2) + "\n")
        return PartStore(folder, asked)
    before, replaces = _read(folder / SETTINGS)
    parts = PartStore(folder, BatchSettings(bundle, top, *_noted(images, None)))
    if changes := parts.asked.changes(before):
        raise RunError(f"{folder} holds answers to go on with, but {'; '.join(changes)}: {BEGIN_AGAIN}")
    if out.exists() and not replaces and parts.done < before.count:
        raise RunError(f"{out} is there already, beside the beginning of another in {folder}: {BEGIN_AGAIN}")
    return parts


def _read(path: Path) -> tuple[BatchSettings, bool]:
    try:
        fields = json.loads(path.read_text())
        replaces = bool(fields.pop("replaces"))
        return BatchSettings(**fields), replaces
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(f"{path} cannot be read ({error!r}): begin again with --fresh") from error


def _noted(images: Iterable[str], stream: BinaryIO | None) -> tuple[int, str]:
    """Write the paths to `stream`; give how many they are, and their hash."""
    digest, count, said = hashlib.sha256(), 0, time.monotonic()
    for path in images:
        line = json.dumps(path)
        digest.update(f"{line} {_state(path)}\n".encode())
        count += 1
        if stream:
            stream.write(f"{line}\n".encode())
        if time.monotonic() - said >= LINE_EVERY_S:
            said = time.monotonic()
            notify(f"listing: {count:,} images so far")
    return count, digest.hexdigest()


def _state(path: str) -> str:
    """A file's size and when it was changed: its content is read once only, to be answered."""
    try:
        found = os.stat(path)  # noqa: PTH116  a string throughout: there may be many
    except (OSError, ValueError):  # a path with a NUL in it is a ValueError
        return "absent"
    return f"{found.st_size} {found.st_mtime_ns}"


def _ours(name: str) -> bool:
    return name in (SETTINGS, LIST, LOCK) or name.startswith(PARTIAL) or bool(PART.fullmatch(name))


def _clear(folder: Path) -> None:
    """Remove everything but the lock, the settings first: a kill in between leaves nothing to be mistaken."""
    (folder / SETTINGS).unlink(missing_ok=True)
    for name in os.listdir(folder):  # noqa: PTH208
        if name != LOCK:
            (folder / name).unlink()
