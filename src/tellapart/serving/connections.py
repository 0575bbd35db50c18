"""A caller's connection: what uvicorn's own protocol leaves unbounded.

- Whoever connects has `IDLE_S` to send a request's head, however it drips.
- Where an answer was given before the body had come, the rest is read and dropped, so that the answer is seen and no
  connection is reset; for `REST_S`.
- A body may not come in very many very small pieces, each of which costs as much as a large one.
- While there is no place for another image, a request to predict is answered 503 before it is even parsed: turning
  callers away must cost next to nothing, or it is what the service is busy with.
"""

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from tellapart.serving.admission import RETRY_AFTER_S, Admission
from tellapart.serving.headers import SECURITY_HEADERS

IDLE_S = 15.0
REST_S = 5.0
FREE_PIECES = 10_000  # of a body; pieces beyond must average `PIECE_BYTES`
PIECE_BYTES = 512
PREDICTING = (b"POST /v1/predict", b"POST /predict")


def _canned(status: str, sentence: str, **more: str) -> bytes:
    body = json.dumps({"error": sentence}).encode()
    headers = {
        **SECURITY_HEADERS,
        **{name.replace("_", "-"): value for name, value in more.items()},
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


TURNED_AWAY = _canned(
    "503 Service Unavailable",
    f"as many images are under way as may be: send it again in {RETRY_AFTER_S} s or later",
    Retry_After=str(RETRY_AFTER_S),
)
NO_HTTP = _canned("400 Bad Request", "this is no HTTP that can be read, or in too many pieces: send it another way")


class Counting(h11.Connection):
    """h11's parser, which refuses a body in too many pieces."""

    pieces = size = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Parse on. Raises RemoteProtocolError."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.pieces = self.size = 0
        elif isinstance(event, h11.Data):
            self.pieces += 1
            self.size += len(event.data)
            if (self.pieces - FREE_PIECES) * PIECE_BYTES > self.size:
                raise h11.RemoteProtocolError(f"a body in {self.pieces} pieces")
        return event


class Connection(H11Protocol):
    """One connection. Lives until either side closes it."""

    admission: Admission  # set by `connections_of`
    _deadline: asyncio.TimerHandle | None = None
    _owed: str | None = None
    _dismissed = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, with a deadline for the first request."""
        self.conn = Counting(h11.SERVER)
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take the next bytes, or drop them after a refusal."""
        if self._dismissed:
            return
        if self.admission.full and data.startswith(PREDICTING) and self._between_requests():
            self.admission.refused("busy")
            self._dismiss(TURNED_AWAY)
            return
        super().data_received(data)
        if not self._dismissed:
            self._watch()

    def on_response_complete(self) -> None:
        """An answer is out: what is owed now is the rest of the body, or the next request."""
        super().on_response_complete()
        if not self._dismissed:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._unwatch()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  ours says what to do
        """Say that this is no HTTP; where an answer was given already there is nothing more to say."""
        begun = self.cycle is not None and not self.cycle.response_complete
        answered = self.cycle is not None and self.conn.our_state is not h11.IDLE and self.cycle.response_started
        if begun:
            self.cycle.disconnected = True  # whoever answers this request hears that the caller has gone
            self.cycle.message_event.set()
        self._dismiss(b"" if answered else NO_HTTP)

    def _between_requests(self) -> bool:
        return self.conn.our_state is h11.IDLE and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    def _dismiss(self, answer: bytes) -> None:
        """Write a last answer, and drop what still comes until the other side has seen it and closes."""
        self._dismissed = True
        self._unset_keepalive_if_required()
        self._unwatch()
        self.transport.write(answer)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(REST_S, self._expire)

    def _watch(self) -> None:
        """Arm a timer for what the other side owes, unless it runs already."""
        owed = self._owing()
        if owed == self._owed:
            return
        self._unwatch()
        if owed is not None:
            self._owed = owed
            self._deadline = self.loop.call_later(IDLE_S if owed == "head" else REST_S, self._expire)

    def _expire(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # the other side does not even read: closing would wait for it
        else:
            self.transport.close()

    def _owing(self) -> str | None:
        if self.conn.their_state is h11.IDLE:
            return "head"
        answered = self.cycle is not None and self.cycle.response_complete
        return "rest" if answered and self.conn.their_state is h11.SEND_BODY else None

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline, self._owed = None, None


def connections_of(admission: Admission) -> type[Connection]:
    """The class of the connections of one service: uvicorn makes them itself."""
    return type("Connection", (Connection,), {"admission": admission})
