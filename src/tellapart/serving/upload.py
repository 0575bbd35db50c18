"""The picture in a request: counted as it arrives, parsed as it arrives, held in memory only."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.requests import Request

from tellapart.serving.problems import SHOWN, RequestError

MAX_BODY_BYTES = 10_000_000
MAX_PARTS = 16  # a form with more is no picture's
FIELD = "image"
ADVICE = f"send multipart/form-data with one picture file in the field '{FIELD}'"
IN_MEMORY = {"MAX_MEMORY_FILE_SIZE": math.inf}  # uploads never reach the disk; the body's limit bounds them


@dataclass(frozen=True)
class Upload:
    """One uploaded file: the name that it was sent with, and its bytes."""

    name: str
    content: bytes


async def uploaded(request: Request) -> Upload:
    """Read the one picture of a multipart request. Raises RequestError (400 or 413)."""
    form = _Form(request.headers.get("content-type", ""))
    _check_size(int(request.headers.get("content-length", 0)))
    size = 0
    async for chunk in request.stream():
        size += len(chunk)  # counted, since a length may be absent or untrue
        _check_size(size)
        form.write(chunk)
    return form.picture()


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        limit = f"{MAX_BODY_BYTES / 1e6:.0f} MB"
        raise RequestError(413, f"the request is larger than {limit}, which is the most: send a smaller picture")


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise RequestError(400, f"the form cannot be read ({str(error)[:SHOWN]}): {ADVICE}") from error


class _Form:
    """A multipart form while it arrives."""

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise RequestError(400, f"the content type is {content_type[:SHOWN]!r}, not a form: {ADVICE}")
        self._parts = 0
        self._pictures: list[File] = []
        with _readable():
            self._parser = FormParser(
                kind.decode(), self._count, self._keep, boundary=options[b"boundary"], config=IN_MEMORY
            )

    def write(self, chunk: bytes) -> None:
        """Parse the next bytes. Raises RequestError (400)."""
        with _readable():
            self._parser.write(chunk)

    def picture(self) -> Upload:
        """Give the one picture. Raises RequestError (400)."""
        if len(self._pictures) != 1:
            found = f"{len(self._pictures) or 'no'} files in the field '{FIELD}'"
            raise RequestError(400, f"the form has {found}, one was expected: {ADVICE}")
        file = self._pictures[0]
        assert isinstance(file.file_object, BytesIO)  # noqa: S101
        content = file.file_object.getvalue()
        if not content:
            raise RequestError(400, f"the file in the field '{FIELD}' is empty: {ADVICE}")
        return Upload((file.file_name or b"").decode(errors="replace"), content)

    def _count(self, _: Field | File) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise FormParserError(f"more than {MAX_PARTS} parts")

    def _keep(self, file: File) -> None:
        self._count(file)
        if file.field_name == FIELD.encode():
            self._pictures.append(file)
