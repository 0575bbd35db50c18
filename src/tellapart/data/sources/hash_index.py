"""Hash files, with an index on disk so that only new and changed files are read.

The cache has one index for each folder; a lost or damaged one is made again.
"""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np

from tellapart.data.dataset import Skipped, Split
from tellapart.data.images import FileImages
from tellapart.errors import ImageError, StorageError
from tellapart.files import UNREADABLE, atomic_write, cache_folder
from tellapart.progress import progress
from tellapart.read_files import read_arrays

THREADS = 8  # hashing is limited by the disk more than by the CPU
CHUNK_FILES = 64  # files per task: a task for each small file would cost as much as hashing it
SMALL_BYTES = 1 << 20  # larger files are hashed in pieces
SETTLED_NS = 2_000_000_000  # timestamps of some disks are as coarse as this, so a later change could keep them
MAX_INT64 = 2**63 - 1  # of int64; some disks have larger inode numbers
MAX_OTHERS = 500_000  # entries kept for files that are not hashed this time, such as those of another table

Stamp = tuple[int, ...]
"""The properties that show a change of a file: size, mtime_ns, ctime_ns, inode."""
Entry = tuple[Stamp, str]
"""A file's stamp when it was hashed, and its SHA-256."""
Result = tuple[Stamp | None, str | ImageError]
"""A file's stamp, or None if it is too recent to rely on, and its SHA-256 or the error."""


def hash_all(paths: Sequence[str], advance: Callable[[int], object]) -> list[str | ImageError]:
    """Return the SHA-256 of each file, 64 hexadecimal digits, or its error; calls `advance` with counts of files.

    When interrupted, the hashes so far are kept in the index.
    """
    if not paths:
        return []
    began = time.time_ns()
    locations = _real_paths(paths)
    index = index_path(os.path.commonpath({os.path.dirname(location) for location in locations}))  # noqa: PTH120
    known = _read(index)
    results: list[Result] = []
    try:
        for chunk in _in_threads(
            [(path, known.get(location)) for path, location in zip(paths, locations, strict=True)], began
        ):
            results += chunk
            advance(len(chunk))
    finally:
        _update(index, known, dict(zip(locations, results, strict=False)))
    return [digest for _, digest in results]


def index_path(folder: str) -> Path:
    """Return the path of a folder's index."""
    return cache_folder() / "index" / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()}.npz"


def _real_paths(paths: Sequence[str]) -> list[str]:
    """Return each file's absolute path in its real folder, since `..` after a link leads elsewhere than the names."""
    split = [os.path.split(path) for path in paths]  # 100,000 Path objects would cost 50 MB
    real = {
        folder: os.path.realpath(folder) if "\0" not in folder else folder for folder in {parent for parent, _ in split}
    }
    return [os.path.join(real[folder], name) for folder, name in split]  # noqa: PTH118


def _in_threads(files: list[tuple[str, Entry | None]], began: int) -> Iterator[list[Result]]:
    def hash_chunk(start: int) -> list[Result]:
        return [_digest(path, entry, began) for path, entry in files[start : start + CHUNK_FILES]]

    pool = ThreadPoolExecutor(THREADS)
    try:
        yield from pool.map(hash_chunk, range(0, len(files), CHUNK_FILES))
    finally:
        pool.shutdown(cancel_futures=True)


def _digest(path: str, entry: Entry | None, began: int) -> Result:
    try:
        stamp = _stamp(os.stat(path))  # noqa: PTH116
        if entry and entry[0] == stamp:
            return entry
        with Path(path).open("rb", buffering=0) as stream:
            stamp = _stamp(os.fstat(stream.fileno()))
            small = stamp[0] < SMALL_BYTES
            digest = hashlib.sha256(stream.read()) if small else hashlib.file_digest(stream, "sha256")
    except ImageError as error:
        return None, error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        return None, ImageError(f"cannot be read: {getattr(error, 'strerror', None) or error}")
    return stamp if max(stamp[1:3]) < began - SETTLED_NS else None, digest.hexdigest()


def _stamp(status: os.stat_result) -> Stamp:
    """Return a file's stamp as int64 values. Raises ImageError if it is not a regular file."""
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would block
        raise ImageError("cannot be read: it is not a regular file")
    values = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return tuple(value & MAX_INT64 for value in values)


def _update(index: Path, known: dict[str, Entry], results: Mapping[str, Result]) -> None:
    """Write the index if an entry has changed; a cache that cannot be written is not an error."""
    fresh = {path: (stamp, str(digest)) for path, (stamp, digest) in results.items() if stamp is not None}
    if all(known.get(path) == entry for path, entry in fresh.items()):
        return
    others = {path: entry for path, entry in known.items() if path not in results}
    with suppress(StorageError, OSError):
        atomic_write(index, _serialize(fresh | others if len(others) <= MAX_OTHERS else fresh))


def _serialize(entries: Mapping[str, Entry]) -> bytes:
    """Serialize entries as `.npz`: names as bytes separated by NUL, stamps int64 (n, 4), hashes uint8 (n, 32)."""
    content = BytesIO()
    hashes = b"".join(bytes.fromhex(digest) for _, digest in entries.values())
    np.savez(
        content,
        names=np.frombuffer(os.fsencode("\0".join(entries)), np.uint8),
        stamps=np.array([stamp for stamp, _ in entries.values()], np.int64),
        hashes=np.frombuffer(hashes, np.uint8).reshape(-1, 32),
    )
    return content.getvalue()


def _read(index: Path) -> dict[str, Entry]:
    try:
        arrays = read_arrays(index)
        names = os.fsdecode(arrays["names"].tobytes()).split("\0")
        stamps = [tuple(stamp) for stamp in arrays["stamps"].tolist()]
        hashes = arrays["hashes"].astype(np.uint8).tobytes().hex()
        starts = range(0, len(hashes), 64)
        return {
            name: (stamp, hashes[start : start + 64]) for name, stamp, start in zip(names, stamps, starts, strict=True)
        }
    except (*UNREADABLE, TypeError, AttributeError):  # it is made again
        return {}


@dataclass
class FileList:
    """The files of one split: their paths, class indices and groups."""

    paths: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    groups: list[str] | None = None


def hash_files(listed: Mapping[str, FileList]) -> tuple[dict[str, Split], tuple[Skipped, ...]]:
    """Hash every file. Returns the splits, and the files left out because they cannot be read."""
    paths = [path for part in listed.values() for path in part.paths]
    with progress("reading", len(paths), "files") as advance:
        digests = hash_all(paths, advance)
    skipped = tuple(
        Skipped(path, str(digest))
        for path, digest in zip(paths, digests, strict=True)
        if isinstance(digest, ImageError)
    )
    splits: dict[str, Split] = {}
    start = 0
    for name, part in listed.items():
        splits[name] = _make_split(part, digests[start : start + len(part.paths)])
        start += len(part.paths)
    return splits, skipped


def _make_split(part: FileList, digests: list[str | ImageError]) -> Split:
    readable = {index: digest for index, digest in enumerate(digests) if isinstance(digest, str)}
    images = FileImages(tuple(part.paths[i] for i in readable), tuple(readable.values()))
    groups = None if part.groups is None else tuple(part.groups[i] for i in readable)
    return Split(images, np.array([part.labels[i] for i in readable], dtype=np.int32), groups)
