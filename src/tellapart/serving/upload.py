"""The images in a request: counted and parsed as they arrive, held in memory only."""

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.requests import Request

from tellapart.serving.errors import SHOWN, RequestError
from tellapart.serving.settings import Settings

MAX_BODY_BYTES = Settings.max_body_bytes
MAX_PARTS = 64  # a form with more is no image's
MAX_IMAGES = 32  # in one request; more would only hold up others
SLOWEST = 100_000  # bytes a second on average, once the deadline is over: a phone on a poor line has twice that
FIELD = "image"
RAW = "image"  # what an image is called that comes without a name
ADVICE = f"send multipart/form-data with image files in the field '{FIELD}', or the bytes of one as image/jpeg"
IN_MEMORY = {"MAX_MEMORY_FILE_SIZE": math.inf}  # uploads never reach the disk; the body's limit bounds them


@dataclass(frozen=True)
class Upload:
    """One uploaded file: the name that it was sent with, and its bytes."""

    name: str
    content: bytes


async def uploaded(request: Request, settings: Settings, count: Callable[[int], None]) -> list[Upload]:
    """Read the images of a request, at least one. `count` is told the bytes as they arrive, and may raise.

    Raises RequestError (400, 408, 413 or 415).
    """
    body = _body(request, min(MAX_IMAGES, settings.queue))
    _check_size(int(request.headers.get("content-length", 0)), settings)
    size, begun = 0, asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(begun + settings.deadline_s) as limit:
            async for chunk in request.stream():
                size += len(chunk)  # counted, since a length may be absent or untrue
                _check_size(size, settings)
                count(len(chunk))
                body.write(chunk)
                limit.reschedule(begun + settings.deadline_s + size / SLOWEST)
    except TimeoutError as error:
        sentence = f"after {settings.deadline_s:g} s only {size:,} bytes had come: send it again over a faster line"
        raise RequestError(408, sentence, {"Connection": "close"}) from error
    return body.images()


def _check_size(size: int, settings: Settings) -> None:
    if size > settings.max_body_bytes:
        limit = f"{settings.max_body_bytes / 1e6:.4g} MB"
        raise RequestError(413, f"the request is larger than {limit}, which is the most: send a smaller image")


def _body(request: Request, most: int) -> "_Form | _Raw":
    coding = request.headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        raise RequestError(415, f"the content encoding is {coding[:SHOWN]!r}, and nothing is unpacked: {ADVICE}")
    content_type = request.headers.get("content-type", "")
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        return _Form(options.get(b"boundary", b""), most)
    if kind.startswith(b"image/") or kind == b"application/octet-stream":
        return _Raw()
    raise RequestError(415, f"the content type is {content_type[:SHOWN]!r}, not a form or an image: {ADVICE}")


class _Raw:
    """A body that is an image while it arrives."""

    def __init__(self) -> None:
        self._content = BytesIO()

    def write(self, chunk: bytes) -> None:
        """Keep the next bytes."""
        self._content.write(chunk)

    def images(self) -> list[Upload]:
        """Give the image. Raises RequestError (400)."""
        content = self._content.getvalue()
        if not content:
            raise RequestError(400, f"the body is empty: {ADVICE}")
        return [Upload(RAW, content)]


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise RequestError(400, f"the form cannot be read ({str(error)[:SHOWN]}): {ADVICE}") from error


class _Form:
    """A multipart form while it arrives."""

    def __init__(self, boundary: bytes, most: int) -> None:
        if not boundary:
            raise RequestError(400, f"the form's content type names no boundary: {ADVICE}")
        self._parts = 0
        self._most = most
        self._images: list[File] = []
        with _readable():
            self._parser = FormParser(
                "multipart/form-data", self._count, self._keep, boundary=boundary, config=IN_MEMORY
            )

    def write(self, chunk: bytes) -> None:
        """Parse the next bytes. Raises RequestError (400)."""
        with _readable():
            self._parser.write(chunk)

    def images(self) -> list[Upload]:
        """Give the images, in their order. Raises RequestError (400)."""
        if not self._images:
            raise RequestError(400, f"the form has no files in the field '{FIELD}', one was expected: {ADVICE}")
        return [self._upload(file) for file in self._images]

    def _upload(self, file: File) -> Upload:
        assert isinstance(file.file_object, BytesIO)  # noqa: S101
        content = file.file_object.getvalue()
        if not content:
            raise RequestError(400, f"a file in the field '{FIELD}' is empty: {ADVICE}")
        return Upload((file.file_name or b"").decode(errors="replace"), content)

    def _count(self, _: Field | File) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise FormParserError(f"more than {MAX_PARTS} parts")

    def _keep(self, file: File) -> None:
        self._count(file)
        if file.field_name == FIELD.encode():
            self._images.append(file)
            if len(self._images) > self._most:
                raise RequestError(413, f"the form has more than {self._most} images, which is the most: send fewer")
