"""State on disk: written whole or not at all. The only module that writes it.

A file is written beside its destination, flushed to the disk, and renamed over it; a folder likewise. A kill
at any moment therefore leaves the old state or the new one. What a kill leaves behind is named `.partial-*`
and never read.
"""

import csv
import errno
import hashlib
import io
import os
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tellapart.errors import RunError, StorageError

PARTIAL = ".partial-"
UNREADABLE = (OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile may raise of a damaged or hostile `.npz`.

RuntimeError is for encryption and unknown compression, MemoryError for a header that claims a shape beyond all memory.
"""


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where tellapart keeps what it can make again: `$TELLAPART_CACHE`, else below the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("TELLAPART_CACHE") or Path(home) / "tellapart")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as comma-separated values, a line for each row."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    return text.getvalue()


@contextmanager
def storage_errors(destination: Path) -> Iterator[None]:
    """Turn the disk's refusals while writing `destination` into a sentence (StorageError)."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        code = getattr(error, "errno", None)  # HDF5, for one, may report a failed write without one
        if code is None and _free_bytes(destination) < FULL_BYTES:
            code = errno.ENOSPC
        if code not in REFUSALS:
            raise
        raise StorageError(_refusal(destination, code)) from error


@contextmanager
def _begun(destination: Path) -> Iterator[None]:
    """As `explained`, where the folder and the first file are made: what is missing even then cannot be made there."""
    with storage_errors(destination):
        try:
            yield
        except FileNotFoundError as error:
            raise StorageError(_refusal(destination, errno.ENOENT)) from error


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a file so that a kill leaves the old content or the new. Raises StorageError."""
    # A file's name may be no UTF-8; Python then holds its odd bytes as surrogates, and they are written as they were.
    data = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    with atomic_stream(path) as stream:
        stream.write(data)


@contextmanager
def atomic_stream(path: Path, *, inside: Path | None = None) -> Iterator[BinaryIO]:
    """Yield a stream to write; when the block ends well what was written becomes the file `path`, else nothing does.

    It grows in the folder `inside`, of the same disk as `path`, or else beside `path`. Raises StorageError.
    """
    with _begun(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=PARTIAL, dir=inside or path.parent)
    partial = Path(name)
    try:
        with storage_errors(path):  # while the partial file still fills the disk, if it does
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            partial.chmod(0o644)
            partial.replace(path)
            _sync_folder(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; when the block ends well it becomes `path`, else it is removed.

    Raises StorageError when `path` is there already and not empty, or the disk refuses.
    """
    with _begun(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
    try:
        with storage_errors(path):  # while the partial folder still fills the disk, if it does
            yield partial
            for file in partial.rglob("*"):
                _sync(file)
            partial.chmod(0o755)
            _sync_folder(partial)
            _rename_folder(partial, path)
            _sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def cached_folder(path: Path) -> Iterator[Path]:
    """Fill a folder of a cache as `atomic_folder` does; where another run was quicker, its folder stays."""
    try:
        with atomic_folder(path) as partial:
            yield partial
    except StorageError:
        if not path.exists():
            raise


def require_unused(folder: Path) -> None:
    """Refuse a folder in use, or that cannot be made, before the work that is to fill it. Raises StorageError."""
    require_writable(folder)
    if folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None):
        raise _in_use(folder)


def require_writable(path: Path) -> None:
    """Refuse a place where nothing can be made, before the work that is to be kept there. Raises StorageError."""
    with _begun(path):
        Path(tempfile.mkdtemp(prefix=PARTIAL, dir=_nearest(path.parent))).rmdir()


@contextmanager
def exclusive_lock(path: Path, other: str, otherwise: str) -> Iterator[None]:
    """Hold a file's lock, which the system takes back from a process that ends.

    Raises RunError when it is taken: `other` is at work there, and the caller is told to wait or do `otherwise`.
    """
    with _begun(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+b")
    with stream:
        try:
            _lock(stream.fileno())
        except OSError as error:
            raise RunError(f"{other} is at work in {path.parent}: wait for it, or {otherwise}") from error
        yield


@contextmanager
def first_fills_lock(path: Path) -> Iterator[None]:
    """Let the first process in alone, by a file's lock, and those that come meanwhile in together after it.

    For what one does for all, such as filling a cache. Where the disk or the system has no such locks nobody waits.
    """
    with ExitStack() as held:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            _wait_for_first(held.enter_context(path.open("a+b")).fileno())
        yield


def remove_folder(path: Path) -> None:
    """Remove a folder that tellapart wrote: renamed out of sight first, so that no half of it is ever seen."""
    hidden = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
    path.rename(hidden / path.name)
    shutil.rmtree(hidden)


def remove_partials(*folders: Path) -> None:
    """Remove what a killed process left half-written directly inside `folders`, those that are there."""
    for leftover in [entry for folder in folders for entry in folder.glob(f"{PARTIAL}*")]:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


REFUSALS = (
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG,
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG,
)  # fmt: skip
FULL_BYTES = 1_000_000  # with less free than this, a failed write was the disk's doing


def _refusal(destination: Path, code: int) -> str:
    if code in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: no room for {destination}. Free some space, then run the command again"
    return f"cannot write {destination}: {os.strerror(code)}. Choose a folder that you may write to"


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(_nearest(path)).free


def _nearest(path: Path) -> Path:
    """The path itself where it is there, else the innermost folder around it that is."""
    while not path.exists():
        path = path.parent
    return path


def _rename_folder(partial: Path, path: Path) -> None:
    try:
        partial.rename(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise _in_use(path) from error
        raise


def _in_use(folder: Path) -> StorageError:
    return StorageError(f"{folder} is there already and not empty: name another folder")


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _wait_for_first(descriptor: int) -> None:
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(descriptor, fcntl.LOCK_SH)


def _sync(path: Path) -> None:
    if path.is_dir():
        _sync_folder(path)
        return
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; its rename is durable by itself
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
