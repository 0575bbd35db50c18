"""The uploaded images of a request: limited and parsed as they arrive, in memory only."""

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.requests import Request

from tellapart.serving.errors import MAX_ECHOED, RequestError
from tellapart.serving.settings import Settings

MAX_BODY_BYTES = Settings.max_body_bytes
MAX_PARTS = 64  # of a form
MAX_IMAGES = 32  # in one request; more would hold up other callers
MIN_BYTES_PER_S = 100_000  # on average, after the deadline; a phone on a poor connection has twice that
FORM_FIELD = "image"
UNNAMED = "image"  # the name of an image that is sent without one
UPLOAD_ADVICE = (
    f"send multipart/form-data with image files in the field '{FORM_FIELD}', or the bytes of one as image/jpeg"
)
IN_MEMORY = {"MAX_MEMORY_FILE_SIZE": math.inf}  # uploads never reach the disk; the body's limit bounds them


@dataclass(frozen=True)
class Upload:
    """An uploaded file: its name and its bytes."""

    name: str
    content: bytes


async def read_uploads(request: Request, settings: Settings, reserve: Callable[[int], None]) -> list[Upload]:
    """Read the images of a request, at least one. `reserve` is called with the bytes that arrive, and may raise.

    Raises RequestError (400, 408, 413 or 415).
    """
    body = _body_parser(request, min(MAX_IMAGES, settings.queue))
    _check_size(int(request.headers.get("content-length", 0)), settings)
    size, started = 0, asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(started + settings.deadline_s) as timeout:
            async for chunk in request.stream():
                size += len(chunk)  # counted, since the declared length may be missing or false
                _check_size(size, settings)
                reserve(len(chunk))
                body.write(chunk)
                timeout.reschedule(started + settings.deadline_s + size / MIN_BYTES_PER_S)
    except TimeoutError as error:
        sentence = (
            f"only {size:,} bytes arrived within {settings.deadline_s:g} s: send the image again over a faster "
            f"connection"
        )
        raise RequestError(408, sentence, {"Connection": "close"}) from error
    return body.images()


def _check_size(size: int, settings: Settings) -> None:
    if size > settings.max_body_bytes:
        limit = f"{settings.max_body_bytes / 1e6:.4g} MB"
        raise RequestError(413, f"the request is larger than the limit of {limit}: send a smaller image")


def _body_parser(request: Request, max_images: int) -> "_Form | _RawImage":
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise RequestError(
            415, f"the content encoding is {encoding[:MAX_ECHOED]!r}, which is not supported: {UPLOAD_ADVICE}"
        )
    content_type = request.headers.get("content-type", "")
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        return _Form(options.get(b"boundary", b""), max_images)
    if kind.startswith(b"image/") or kind == b"application/octet-stream":
        return _RawImage()
    raise RequestError(
        415, f"the content type is {content_type[:MAX_ECHOED]!r}, expected a form or an image: {UPLOAD_ADVICE}"
    )


class _RawImage:
    """A body that is an image."""

    def __init__(self) -> None:
        self._content = BytesIO()

    def write(self, chunk: bytes) -> None:
        """Store the next bytes."""
        self._content.write(chunk)

    def images(self) -> list[Upload]:
        """Return the image. Raises RequestError (400)."""
        content = self._content.getvalue()
        if not content:
            raise RequestError(400, f"the body is empty: {UPLOAD_ADVICE}")
        return [Upload(UNNAMED, content)]


@contextmanager
def _form_errors() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise RequestError(400, f"the form cannot be parsed ({str(error)[:MAX_ECHOED]}): {UPLOAD_ADVICE}") from error


class _Form:
    """A multipart form, parsed as it arrives."""

    def __init__(self, boundary: bytes, max_images: int) -> None:
        if not boundary:
            raise RequestError(400, f"the form's content type has no boundary: {UPLOAD_ADVICE}")
        self._parts = 0
        self._max_images = max_images
        self._images: list[File] = []
        with _form_errors():
            self._parser = FormParser(
                "multipart/form-data", self._count_part, self._add_file, boundary=boundary, config=IN_MEMORY
            )

    def write(self, chunk: bytes) -> None:
        """Parse the next bytes. Raises RequestError (400)."""
        with _form_errors():
            self._parser.write(chunk)

    def images(self) -> list[Upload]:
        """Return the images in order. Raises RequestError (400)."""
        if not self._images:
            raise RequestError(
                400, f"the form has no files in the field '{FORM_FIELD}', expected at least one: {UPLOAD_ADVICE}"
            )
        return [self._upload(file) for file in self._images]

    def _upload(self, file: File) -> Upload:
        assert isinstance(file.file_object, BytesIO)  # noqa: S101
        content = file.file_object.getvalue()
        if not content:
            raise RequestError(400, f"a file in the field '{FORM_FIELD}' is empty: {UPLOAD_ADVICE}")
        return Upload((file.file_name or b"").decode(errors="replace"), content)

    def _count_part(self, _: Field | File) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise FormParserError(f"more than {MAX_PARTS} parts")

    def _add_file(self, file: File) -> None:
        self._count_part(file)
        if file.field_name == FORM_FIELD.encode():
            self._images.append(file)
            if len(self._images) > self._max_images:
                raise RequestError(413, f"the form has more than the limit of {self._max_images} images: send fewer")
