"""The hash of every file, from an index on disk: only files that are new or changed are read.

The index is kept in the cache, one for each folder, and made again when it is lost or broken.
"""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np

from tellapart.errors import ImageError, StorageError
from tellapart.files import UNREADABLE, atomic_write, cache_folder

THREADS = 8  # hashing waits for the disk more than for the CPU
CHUNK_FILES = 64  # files for one thread: handing over each of many small ones would cost as much as hashing it
SMALL_BYTES = 1 << 20  # larger files are hashed piece by piece
SETTLED_NS = 2_000_000_000  # some disks keep times no finer: a later change could leave them as they are
LARGEST = 2**63 - 1  # that int64 holds; some disks number their files beyond
MAX_OTHERS = 500_000  # entries for files that were not asked for this time, such as those of another table

Stamp = tuple[int, ...]
"""What a changed file does not keep: size, mtime_ns, ctime_ns, inode."""
Entry = tuple[Stamp, str]
"""A file's stamp when it was hashed, and its SHA-256."""
Found = tuple[Stamp | None, str | ImageError]
"""A file's stamp, or None where it is too new to be relied on, and its SHA-256 or why there is none."""


def hash_all(paths: Sequence[str], advance: Callable[[int], object]) -> list[str | ImageError]:
    """The SHA-256 of each file, 64 hexadecimal digits, or why it cannot be read; `advance` is told how many are done.

    What was hashed is kept also when this is interrupted.
    """
    if not paths:
        return []
    began = time.time_ns()
    places = _placed(paths)
    index = index_path(os.path.commonpath({os.path.dirname(place) for place in places}))  # noqa: PTH120
    known = _read(index)
    found: list[Found] = []
    try:
        for results in _in_threads(
            [(path, known.get(place)) for path, place in zip(paths, places, strict=True)], began
        ):
            found += results
            advance(len(results))
    finally:
        _keep(index, known, dict(zip(places, found, strict=False)))
    return [digest for _, digest in found]


def index_path(folder: str) -> Path:
    """Where the index of a folder is."""
    return cache_folder() / "index" / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()}.npz"


def _placed(paths: Sequence[str]) -> list[str]:
    """Each file's absolute path, in its real folder: past a link `..` leads elsewhere than the names say."""
    split = [os.path.split(path) for path in paths]  # 100,000 Path objects would cost 50 MB
    real = {folder: os.path.realpath(folder) if "\0" not in folder else folder for folder in {one for one, _ in split}}
    return [os.path.join(real[folder], name) for folder, name in split]  # noqa: PTH118


def _in_threads(files: list[tuple[str, Entry | None]], began: int) -> Iterator[list[Found]]:
    def some(start: int) -> list[Found]:
        return [_digest(path, entry, began) for path, entry in files[start : start + CHUNK_FILES]]

    pool = ThreadPoolExecutor(THREADS)
    try:
        yield from pool.map(some, range(0, len(files), CHUNK_FILES))
    finally:
        pool.shutdown(cancel_futures=True)


def _digest(path: str, entry: Entry | None, began: int) -> Found:
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


def _stamp(facts: os.stat_result) -> Stamp:
    """A file's stamp, in numbers that int64 holds. Raises ImageError where it is a pipe or the like."""
    if not stat.S_ISREG(facts.st_mode):  # reading a pipe would wait for ever
        raise ImageError("cannot be read: it is not a regular file")
    values = (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)
    return tuple(value & LARGEST for value in values)


def _keep(index: Path, known: dict[str, Entry], found: Mapping[str, Found]) -> None:
    """Write the index anew where something is new; a cache that cannot be written is no error."""
    fresh = {place: (stamp, str(digest)) for place, (stamp, digest) in found.items() if stamp is not None}
    if all(known.get(place) == entry for place, entry in fresh.items()):
        return
    others = {place: entry for place, entry in known.items() if place not in found}
    with suppress(StorageError, OSError):
        atomic_write(index, _packed(fresh | others if len(others) <= MAX_OTHERS else fresh))


def _packed(entries: Mapping[str, Entry]) -> bytes:
    """The index as `.npz`: names as bytes with a NUL between, stamps int64 (n, 4), hashes uint8 (n, 32)."""
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
        with np.load(BytesIO(index.read_bytes()), allow_pickle=False) as arrays:
            names = os.fsdecode(arrays["names"].tobytes()).split("\0")
            stamps = [tuple(stamp) for stamp in arrays["stamps"].tolist()]
            hashes = arrays["hashes"].astype(np.uint8).tobytes().hex()
        starts = range(0, len(hashes), 64)
        return {
            name: (stamp, hashes[start : start + 64]) for name, stamp, start in zip(names, stamps, starts, strict=True)
        }
    except (*UNREADABLE, TypeError, AttributeError):  # it is made again
        return {}
