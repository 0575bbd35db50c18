"""The uploaded images of a request: limited and parsed as they arrive, in memory only."""

import asyncio
import base64
import json
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

MAX_PARTS = 64  # of a form
MAX_IMAGES = 32  # in one request; more would hold up other callers
MIN_BYTES_PER_S = 100_000  # on average, after the deadline; a phone on a poor connection has twice that
FIELDS = ("image", "file")  # of a form, and of JSON
UNNAMED = "image"  # the name of an image that is sent without one
UPLOAD_ADVICE = (
    "send multipart/form-data with image files in the field 'image', the bytes of one as image/jpeg, or JSON with its "
    'base64 as {"image": "..."}'
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


def _body_parser(request: Request, max_images: int) -> "_Form | _RawImage | JsonBody":
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise RequestError(
            415, f"the content encoding is {encoding[:MAX_ECHOED]!r}, which is not supported: {UPLOAD_ADVICE}"
        )
    content_type = request.headers.get("content-type", "")
    kind, options = parse_options_header(content_type)
    if kind == b"application/json":
        return JsonBody(max_images)
    if kind == b"multipart/form-data":
        return _Form(options.get(b"boundary", b""), max_images)
    if kind.startswith(b"image/") or kind == b"application/octet-stream":
        return _RawImage()
    raise RequestError(
        415, f"the content type is {content_type[:MAX_ECHOED]!r}, expected a form, JSON or an image: {UPLOAD_ADVICE}"
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


class JsonBody:
    """A JSON object with one image or a list of images, each as base64 or a data: URL."""

    def __init__(self, max_images: int) -> None:
        self._content = BytesIO()
        self._max_images = max_images

    def write(self, chunk: bytes) -> None:
        """Store the next bytes."""
        self._content.write(chunk)

    def images(self) -> list[Upload]:
        """Decode the images in order. Raises RequestError (400 or 413)."""
        try:
            fields = json.loads(self._content.getvalue())
        except (ValueError, RecursionError) as error:
            raise RequestError(400, f"the body is not JSON ({str(error)[:MAX_ECHOED]}): {UPLOAD_ADVICE}") from error
        values = [fields[name] for name in FIELDS if name in fields] if isinstance(fields, dict) else []
        if len(values) != 1:
            raise RequestError(400, f"the JSON has {len(values)} of the fields 'image' and 'file': {UPLOAD_ADVICE}")
        texts = values[0] if isinstance(values[0], list) else values
        if not texts:
            raise RequestError(400, f"the JSON has no image: {UPLOAD_ADVICE}")
        if len(texts) > self._max_images:
            raise RequestError(413, f"the JSON has more than the limit of {self._max_images} images: send fewer")
        return [Upload(UNNAMED, _from_base64(text)) for text in texts]


def _from_base64(text: object) -> bytes:
    if not isinstance(text, str):
        raise RequestError(400, f"an image in the JSON is not text, expected base64 or a data: URL: {UPLOAD_ADVICE}")
    head, comma, encoded = text.partition(",") if text[:5].lower() == "data:" else ("", "", text)
    if head and not (comma and head.lower().endswith(";base64")):
        raise RequestError(400, "a data: URL in the JSON is not base64, expected data:image/png;base64,...")
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except ValueError as error:  # an address ends here too: nothing is ever fetched
        raise RequestError(
            400, f"{text[:MAX_ECHOED]!r} is not base64 ({str(error)[:MAX_ECHOED]}): {UPLOAD_ADVICE}"
        ) from error
    if not content:
        raise RequestError(400, f"an image in the JSON is empty: {UPLOAD_ADVICE}")
    return content


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
        self._ended = False
        with _form_errors():
            self._parser = FormParser(
                "multipart/form-data", self._count_part, self._add_file, self._end, boundary=boundary, config=IN_MEMORY
            )

    def write(self, chunk: bytes) -> None:
        """Parse the next bytes. Raises RequestError (400)."""
        with _form_errors():
            self._parser.write(chunk)

    def images(self) -> list[Upload]:
        """Return the images in order. Raises RequestError (400)."""
        if not self._ended:
            raise RequestError(400, f"the form was cut off before its last boundary: {UPLOAD_ADVICE}")
        if not self._images:
            raise RequestError(
                400, f"the form has no files in the field 'image', expected at least one: {UPLOAD_ADVICE}"
            )
        return [self._upload(file) for file in self._images]

    def _upload(self, file: File) -> Upload:
        assert isinstance(file.file_object, BytesIO)  # noqa: S101
        content = file.file_object.getvalue()
        if not content:
            raise RequestError(400, f"a file in the field 'image' is empty: {UPLOAD_ADVICE}")
        return Upload((file.file_name or b"").decode(errors="replace"), content)

    def _end(self) -> None:
        self._ended = True

    def _count_part(self, _: Field | File) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise FormParserError(f"more than {MAX_PARTS} parts")

    def _add_file(self, file: File) -> None:
        self._count_part(file)
        if file.field_name in {field.encode() for field in FIELDS}:
            self._images.append(file)
            if len(self._images) > self._max_images:
                raise RequestError(413, f"the form has more than the limit of {self._max_images} images: send fewer")
