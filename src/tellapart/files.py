"""Atomic writes: files and folders are written whole or not at all. Only this module writes state to disk.

A file or folder is written beside its destination, flushed to the disk, and renamed over it, so that a kill at any
moment leaves the old state or the new one. Leftovers of a kill are named `.partial-*` and never read.
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
"""Exceptions that NumPy and zipfile raise on a damaged or hostile `.npz`.

RuntimeError means encryption or unknown compression, MemoryError a header that claims an impossibly large shape.
"""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cache_folder() -> Path:
    """Return the folder for files that can be made again: `$TELLAPART_CACHE`, else one in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("TELLAPART_CACHE") or Path(home) / "tellapart")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Format a table as comma-separated values, one line for each row."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    return text.getvalue()


@contextmanager
def storage_errors(destination: Path) -> Iterator[None]:
    """Convert errors of the disk while writing `destination` to StorageError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        code = getattr(error, "errno", None)  # HDF5, for example, may report a failed write without errno
        if code is None and _free_bytes(destination) < FULL_BYTES:
            code = errno.ENOSPC
        if code not in DISK_ERRORS:
            raise
        raise StorageError(_storage_message(destination, code)) from error


@contextmanager
def _creation_errors(destination: Path) -> Iterator[None]:
    """Like `storage_errors`, for creating a folder and its first file: what is missing then cannot be made."""
    with storage_errors(destination):
        try:
            yield
        except FileNotFoundError as error:
            raise StorageError(_storage_message(destination, errno.ENOENT)) from error


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a file so that a kill leaves the old content or the new. Raises StorageError."""
    # File names may not be UTF-8; Python represents their bytes as surrogates, which are written as those bytes.
    data = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    with atomic_stream(path) as stream:
        stream.write(data)


@contextmanager
def atomic_stream(path: Path, *, inside: Path | None = None) -> Iterator[BinaryIO]:
    """Yield a stream; when the block ends without an error, its content becomes the file `path`, else it is discarded.

    The partial file is in the folder `inside`, on the same disk as `path`, or else beside `path`. Raises StorageError.
    """
    with _creation_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=PARTIAL, dir=inside or path.parent)
    partial = Path(name)
    try:
        with storage_errors(path):  # inside the try, while the partial file may still fill the disk
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
    """Yield an empty folder to fill; when the block ends without an error it becomes `path`, else it is removed.

    Raises StorageError if `path` exists and is not empty, or the disk cannot be written.
    """
    with _creation_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
    try:
        with storage_errors(path):  # inside the try, while the partial folder may still fill the disk
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
    """Fill a cache folder as `atomic_folder` does; if another run was faster, its folder is kept."""
    try:
        with atomic_folder(path) as partial:
            yield partial
    except StorageError:
        if not path.exists():
            raise


def require_unused(folder: Path) -> None:
    """Refuse a folder that is not empty or cannot be made, before computing its content. Raises StorageError."""
    require_writable(folder)
    if folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None):
        raise _not_empty_error(folder)


def require_writable(path: Path) -> None:
    """Refuse a path that cannot be written, before computing its content. Raises StorageError."""
    with _creation_errors(path):
        Path(tempfile.mkdtemp(prefix=PARTIAL, dir=_existing_parent(path.parent))).rmdir()


@contextmanager
def exclusive_lock(path: Path, holder: str, otherwise: str) -> Iterator[None]:
    """Hold an exclusive lock on a file; the system releases it when the process ends.

    Raises RunError if it is taken, with the message that `holder` is at work there: wait, or do `otherwise`.
    """
    with _creation_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+b")
    with stream:
        try:
            _lock(stream.fileno())
        except OSError as error:
            raise RunError(f"{holder} is at work in {path.parent}: wait for it, or {otherwise}") from error
        yield


@contextmanager
def first_fills_lock(path: Path) -> Iterator[None]:
    """Run the block alone in the first process, by a file lock; processes that come meanwhile wait, then run together.

    For work that one process does for all, such as filling a cache. Without support for locks, no process waits.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            _wait_for_first(stack.enter_context(path.open("a+b")).fileno())
        yield


def remove_folder(path: Path) -> None:
    """Remove a folder that tellapart wrote; it is renamed first, so that no half of it is ever seen."""
    hidden = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
    path.rename(hidden / path.name)
    shutil.rmtree(hidden)


def remove_partials(*folders: Path) -> None:
    """Remove what killed processes left half-written directly in `folders`, as far as they exist."""
    for leftover in [entry for folder in folders for entry in folder.glob(f"{PARTIAL}*")]:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


DISK_ERRORS = (
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG,
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG,
)  # fmt: skip
FULL_BYTES = 1_000_000  # with less free than this, a failed write is due to a full disk


def _storage_message(destination: Path, code: int) -> str:
    if code in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: no room for {destination}. Free some space, then run the command again"
    return f"cannot write {destination}: {os.strerror(code)}. Choose a folder that you may write to"


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(_existing_parent(path)).free


def _existing_parent(path: Path) -> Path:
    """Return the path itself if it exists, else the innermost of its parents that does."""
    while not path.exists():
        path = path.parent
    return path


def _rename_folder(partial: Path, path: Path) -> None:
    try:
        partial.rename(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise _not_empty_error(path) from error
        raise


def _not_empty_error(folder: Path) -> StorageError:
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
    if os.name == "nt":  # Windows cannot open a folder; renaming is durable there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
