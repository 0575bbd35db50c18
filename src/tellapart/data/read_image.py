"""Image files: reading their bytes, with every failure as an ImageError."""

import os
import stat
from pathlib import Path

from tellapart.data.decode import ImageArray, decode
from tellapart.errors import ImageError


def read_image(path: str) -> ImageArray:
    """Read and decode a file: uint8 (height, width, 1 or 3). Raises ImageError."""
    return decode(read_bytes(path))


def read_bytes(path: str) -> bytes:
    """Read the bytes of a file. Raises ImageError."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a path with a NUL in it
        raise ImageError(f"cannot be read: {error}") from error


def not_a_file(path: str) -> str | None:
    """Return why a path leads to no regular file, or None. Opens nothing, since opening a FIFO blocks."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except ValueError as error:  # a path with a NUL in it
        return f"cannot be read: {error}"
    if stat.S_ISREG(mode):
        return None
    return f"is {next(name for is_kind, name in OTHER_KINDS if is_kind(mode))}, not a file"


OTHER_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (lambda _: True, "a device"),
)
