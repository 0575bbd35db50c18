"""uvicorn's HTTP/1.1 protocol with the bounds that it lacks.

- A client has `MAX_HEAD_S` to send a request's head, however slowly it sends.
- A body whose end is stated twice is refused: a content length beside a transfer encoding, two content lengths.
- If a response is sent before the body has arrived, the rest of the body is read and discarded for up to
  `MAX_DISCARD_S`, so that the client sees the response instead of a reset connection.
- A body must not arrive in very many very small chunks, each of which costs as much as a large one.
- When the queue is full, a predict request is answered 503 before it is parsed: rejecting requests has to cost next
  to nothing, or else the service spends its time on rejections.

The subclass relies on private parts of uvicorn, which `tests/serving/test_connections.py` lists. A newer uvicorn has
to be tried before the version bound in pyproject.toml is raised.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from tellapart.serving.admission import RETRY_AFTER_S, Admission
from tellapart.serving.headers import SECURITY_HEADERS
from tellapart.serving.request_log import REQUEST_ID_HEADER, RequestLog, RequestRecord, request_id

MAX_HEAD_S = 15.0
MAX_DISCARD_S = 5.0
FREE_CHUNKS = 10_000  # of a body; chunks beyond must average `MIN_CHUNK_BYTES`
MIN_CHUNK_BYTES = 512
CONTENT_LENGTH = re.compile(rb"^content-length[ \t]*:", re.IGNORECASE | re.MULTILINE)
END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
PREDICT_REQUESTS = (b"POST /v1/predict", b"POST /predict")
GIVEN_ID = re.compile(rb"\r\nx-request-id:[ \t]*([^\r\n ]*)[ \t]*\r\n", re.IGNORECASE)
MAX_SEARCHED = 4096  # bytes of a rejected request, in which its id is found


@dataclass(frozen=True)
class RawResponse:
    """A response that is written without the application: rejecting requests has to cost next to nothing."""

    status: int
    head: bytes
    body: bytes

    def named(self, names: Mapping[str, str]) -> bytes:
        """Return its bytes with further headers."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in names.items())
        return self.head + lines.encode() + b"\r\n" + self.body


def _raw_response(status: int, reason: str, sentence: str, **extra_headers: str) -> RawResponse:
    body = json.dumps({"error": sentence}).encode()
    headers = {
        **SECURITY_HEADERS,
        **{name.replace("_", "-"): value for name, value in extra_headers.items()},
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items()), ""]
    return RawResponse(status, "\r\n".join(lines).encode(), body)


BUSY_RESPONSE = _raw_response(
    503,
    "Service Unavailable",
    f"the queue of images is full: retry in {RETRY_AFTER_S} s or later",
    Retry_After=str(RETRY_AFTER_S),
)
INVALID_RESPONSE = _raw_response(
    400,
    "Bad Request",
    "the request is not valid HTTP, or its body has too many small chunks: send it another way",
)


class ChunkLimitedParser(h11.Connection):
    """h11's parser, which refuses a body in too many small chunks."""

    chunks = size = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Parse the next event. Raises RemoteProtocolError."""
        head = self.trailing_data[0] if self.their_state is h11.IDLE else b""
        event = super().next_event()
        if isinstance(event, h11.Request):
            _require_one_length(head, event)
            self.chunks = self.size = 0
        elif isinstance(event, h11.Data):
            self.chunks += 1
            self.size += len(event.data)
            if (self.chunks - FREE_CHUNKS) * MIN_CHUNK_BYTES > self.size:
                raise h11.RemoteProtocolError(f"a body in {self.chunks} chunks")
        return event


def _require_one_length(head: bytes, request: h11.Request) -> None:
    """Refuse a body whose end is stated twice: a proxy before this service may believe the other statement.

    Source: RFC 9112, 6.1 and 6.3. Raises RemoteProtocolError.
    """
    names = [name for name, _ in request.headers]
    if b"content-length" in names and b"transfer-encoding" in names:
        raise h11.RemoteProtocolError("a content length beside a transfer encoding")
    if len(CONTENT_LENGTH.findall(END_OF_HEAD.split(head, 1)[0])) > 1:  # h11 merges equal ones
        raise h11.RemoteProtocolError("two content lengths")


class LingeringTransport:
    """A transport whose first `close` lets the connection linger, where a request's body is still arriving."""

    def __init__(self, transport: asyncio.Transport, linger: Callable[[], bool]) -> None:
        self._transport = transport
        self._linger = linger
        self._closing = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the transport has
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return True once `close` was called."""
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """Close the connection, or let it linger first."""
        first, self._closing = not self._closing, True
        if not first or not self._linger():
            self._transport.close()


class Connection(H11Protocol):
    """One client connection. Lives until either side closes it."""

    admission: Admission  # set by `connection_class`, as is the log
    request_log: RequestLog
    _deadline: asyncio.TimerHandle | None = None
    _awaited: str | None = None
    _discarding = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start, with a deadline for the first request."""
        self.conn = ChunkLimitedParser(h11.SERVER)
        super().connection_made(cast(asyncio.Transport, LingeringTransport(transport, self._linger)))
        self._update_deadline()

    def data_received(self, data: bytes) -> None:
        """Handle the next bytes, or discard them after a rejection."""
        if self._discarding:
            return
        if self.admission.full and data.startswith(PREDICT_REQUESTS) and self._between_requests():
            self.admission.count_rejection("busy")
            path = data[:MAX_SEARCHED].split(None, 2)[1].partition(b"?")[0].decode("latin-1")
            self._finish(self._refuse(BUSY_RESPONSE, _given_id(data), "POST", path))
            return
        super().data_received(data)
        if not self._discarding:
            self._update_deadline()

    def on_response_complete(self) -> None:
        """Wait for the rest of the body or for the next request, now that the response is out."""
        super().on_response_complete()
        if not self._discarding:
            self._update_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._cancel_deadline()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  this response says what to do instead
        """Answer 400, unless the request has a response already."""
        pending = self.cycle is not None and not self.cycle.response_complete
        answered = self.cycle is not None and self.conn.our_state is not h11.IDLE and self.cycle.response_started
        if pending:
            self.cycle.disconnected = True  # the application sees the client as disconnected
            self.cycle.message_event.set()
        record = self.cycle.scope["state"].get("record") if pending else None
        if answered:
            self._finish(b"")
        elif record is not None:  # the application logs it
            self._finish(INVALID_RESPONSE.named(self._names(record)))
        else:
            self._finish(self._refuse(INVALID_RESPONSE))

    def _refuse(
        self, response: RawResponse, given: str | None = None, method: str | None = None, path: str | None = None
    ) -> bytes:
        """Log a request that does not reach the application, and return its response."""
        record = RequestRecord(request_id(given))
        self.request_log.write(record, method, path, response.status, 0.0)
        return response.named(self._names(record))

    def _names(self, record: RequestRecord) -> dict[str, str]:
        return {REQUEST_ID_HEADER: record.id, **self.request_log.headers}

    def _between_requests(self) -> bool:
        return self.conn.our_state is h11.IDLE and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    def _linger(self) -> bool:
        """Let the client read the response before the connection ends; False if there is nothing left to discard."""
        if self._discarding or self.conn.their_state is not h11.SEND_BODY:
            return False
        self._finish(b"")
        return True

    def _finish(self, response: bytes) -> None:
        """Write a last response, and discard what arrives until the client closes the connection."""
        self._discarding = True
        self._unset_keepalive_if_required()
        self._cancel_deadline()
        self.flow.resume_reading()
        self.transport.write(response)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(MAX_DISCARD_S, self._expire)

    def _update_deadline(self) -> None:
        """Start a timer for what the client has to send next, unless it is running already."""
        awaited = self._awaited_part()
        if awaited == self._awaited:
            return
        self._cancel_deadline()
        if awaited is not None:
            self._awaited = awaited
            self._deadline = self.loop.call_later(MAX_HEAD_S if awaited == "head" else MAX_DISCARD_S, self._expire)

    def _expire(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # the client does not read either: closing would wait for it
        else:
            self.transport.close()

    def _awaited_part(self) -> str | None:
        if self.conn.their_state is h11.IDLE:
            return "head"
        answered = self.cycle is not None and self.cycle.response_complete
        return "rest" if answered and self.conn.their_state is h11.SEND_BODY else None

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline, self._awaited = None, None


def _given_id(data: bytes) -> str | None:
    match = GIVEN_ID.search(data, 0, MAX_SEARCHED)
    return None if match is None else match[1].decode("latin-1")


def connection_class(admission: Admission, request_log: RequestLog) -> type[Connection]:
    """Return the protocol class of one service; uvicorn creates the instances."""
    return type("Connection", (Connection,), {"admission": admission, "request_log": request_log})
