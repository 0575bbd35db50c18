"""Image files: reading their bytes, with every failure as an ImageError."""

import os
import re
import stat
from pathlib import Path

from tellapart.data.decoding.conversion import USUAL, Conversion, ImageArray
from tellapart.data.decoding.decode import decode
from tellapart.data.decoding.decode_limits import own_limits
from tellapart.data.decoding.formats import format_of
from tellapart.data.decoding.tiff_limits import count_pages
from tellapart.errors import ImageError
from tellapart.progress import notify
from tellapart.text import printable


def read_image(path: str, conversion: Conversion = USUAL) -> ImageArray:
    """Read and decode a file: uint8 (height, width, 1 or 3). Raises ImageError."""
    content = read_bytes(path)
    image = decode(content, conversion=conversion)
    if format_of(content) == "TIFF" and (pages := count_pages(content)) > 1:
        _note_pages(path, pages)
    return image


_noted: list[str] = []  # the first file of several pages; the others would say the same


def _note_pages(path: str, pages: int) -> None:
    if not _noted:
        _noted.append(path)
        notify(f"{printable(path)} has {pages:,} pages, of which the first is used, as in all files of several pages")


def read_bytes(path: str) -> bytes:
    """Read the bytes of a regular file, unless there are more than `decode` takes. Raises ImageError."""
    if reason := not_a_file(path):  # opening a FIFO blocks, and a device may have no end
        raise ImageError(reason)
    most = own_limits().bytes
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from error
    if len(content) > most:
        raise ImageError(f"the file has more than {most:,} bytes, which is the most that is read")
    return content


def not_a_file(path: str) -> str | None:
    """Return why a path leads to no regular file, or None. Opens nothing, since opening a FIFO blocks."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError as error:
        if web_address(path):
            return "is a web address, and nothing is fetched: download the image, and name its file"
        return f"cannot be read: {error.strerror or error}"
    except ValueError as error:  # a path with a NUL in it
        return f"cannot be read: {error}"
    if stat.S_ISREG(mode):
        return None
    return f"is {next(name for is_kind, name in OTHER_KINDS if is_kind(mode))}, not a file"


def web_address(text: str) -> str | None:
    """Return the web address that a path was meant as, with the slash that paths lose; None for a path."""
    match = WEB_ADDRESS.match(text)
    return f"{match[1]}://{text[match.end() :]}" if match else None


WEB_ADDRESS = re.compile(r"(https?|ftp|s3|gs|hf):/{1,2}(?=[^/])", re.IGNORECASE)
OTHER_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (lambda _: True, "a device"),
)
