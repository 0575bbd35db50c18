"""The request log: one line for each request, on standard output. Never image content, file names or tokens.

Lines are written by a thread of their own: a reader that stalls, or a slow disk, delays no answer.
"""

import json
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Literal, TextIO
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tellapart.progress import notify

LogFormat = Literal["text", "json", "none"]
REQUEST_ID_HEADER, BUNDLE_HEADER = "X-Request-ID", "Tellapart-Bundle"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")  # a caller's own; nothing that a log or a header has to escape
PROBES = ("/health", "/ready", "/metrics")  # asked every few seconds: only their failures are logged
MAX_PATH = 80  # characters
MAX_WAITING = 10_000  # lines that are not written yet; later ones are dropped and counted
MAX_CLOSE_S = 1.0  # for the lines that are left, when the service ends


@dataclass
class RequestRecord:
    """A request's id, the number of its images, and the seconds it spent in each stage, while it is answered."""

    id: str
    images: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, stage: str, seconds: float) -> None:
        """Record a stage of an image; of several images, which run at the same time, the longest is kept."""
        self.seconds[stage] = max(seconds, self.seconds.get(stage, 0.0))


@dataclass(frozen=True)
class LogEntry:
    """One line of the log. `method` and `path` are None for a request that is not valid HTTP; `ms` has the `total`."""

    time: str
    id: str
    method: str | None
    path: str | None
    status: int
    images: int
    ms: Mapping[str, float]
    bundle: str

    def as_json(self) -> str:
        """Return the line as a JSON object."""
        return json.dumps(vars(self))

    def as_text(self) -> str:
        """Return the line for people."""
        stages = "".join(f" {stage} {ms:g}" for stage, ms in self.ms.items() if stage != "total")
        images = f" images {self.images}" * (self.images > 1)
        what = f"{self.method or '-'} {self.path or '-'} {self.status} {self.ms['total']:g} ms"
        return f"{self.time} {what}{stages and f' ({stages[1:]})'}{images} id {self.id}"


class RequestLog:
    """Writer of the log of one service. Lives as long as the service; `close` writes what is left."""

    def __init__(self, log_format: LogFormat, bundle: str, stream: TextIO) -> None:
        self._format, self._bundle, self._stream = log_format, bundle, stream
        self._lines: SimpleQueue[str | None] = SimpleQueue()  # None is the end
        self._dropped = 0
        self._thread: threading.Thread | None = None
        if log_format != "none":
            self._thread = threading.Thread(target=self._write_lines, name="request log", daemon=True)
            self._thread.start()

    @property
    def headers(self) -> dict[str, str]:
        """The headers that are the same on every response."""
        return {BUNDLE_HEADER: self._bundle}

    def write(self, record: RequestRecord, method: str | None, path: str | None, status: int, total_s: float) -> None:
        """Log an answered request. Returns immediately; an answered probe is left out."""
        if self._thread is None or (path in PROBES and status < 400):
            return
        if self._lines.qsize() >= MAX_WAITING:
            self._dropped += 1
            return
        entry = LogEntry(
            datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            record.id,
            method,
            None if path is None else quote(path)[:MAX_PATH],
            status,
            record.images,
            {stage: round(1000 * seconds, 1) for stage, seconds in {"total": total_s, **record.seconds}.items()},
            self._bundle,
        )
        self._lines.put(entry.as_json() if self._format == "json" else entry.as_text())

    def close(self) -> None:
        """Write the lines that are left, for at most `MAX_CLOSE_S`, and stop the thread."""
        if self._thread is not None:
            self._lines.put(None)
            self._thread.join(MAX_CLOSE_S)

    def _write_lines(self) -> None:
        ended = False
        while not ended:
            lines = [self._lines.get(), *self._waiting()]
            ended = None in lines
            try:
                self._stream.write("".join(f"{line}\n" for line in lines if line is not None) + self._loss())
                self._stream.flush()
            except (OSError, ValueError) as error:  # a full disk, a reader that is gone, a closed stream
                self._thread = None
                notify(f"the request log cannot be written ({error}): requests are no longer logged")
                return

    def _waiting(self) -> list[str | None]:
        """Take what is in the queue."""
        lines: list[str | None] = []
        try:
            while True:
                lines.append(self._lines.get_nowait())
        except Empty:
            return lines

    def _loss(self) -> str:
        """Return the line that counts dropped lines, once."""
        dropped, self._dropped = self._dropped, 0
        if not dropped:
            return ""
        return f"{json.dumps({'dropped': dropped})}\n" if self._format == "json" else f"{dropped} lines were dropped\n"


def request_id(given: str | None) -> str:
    """Return the id that the caller or a proxy gave a request, or a new one."""
    return given if given is not None and REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def record_of(scope: Scope) -> RequestRecord:
    """Return the record of a request, which `RequestLogMiddleware` has put into its scope."""
    record: RequestRecord = scope["state"]["record"]
    return record


class RequestLogMiddleware:
    """ASGI middleware that logs each request, and names it and the bundle in the headers of its response."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self.app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, and log it once it is answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record = RequestRecord(request_id(Headers(scope=scope).get(REQUEST_ID_HEADER)))
        scope.setdefault("state", {})["record"] = record
        started, status = time.perf_counter(), 500

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update({REQUEST_ID_HEADER: record.id, **self._log.headers})
            await send(message)

        try:
            await self.app(scope, receive, send_named)
        except Exception as error:
            error.add_note(f"request {record.id}")  # in the traceback, which is logged apart
            raise
        finally:
            self._log.write(record, scope["method"], scope["path"], status, time.perf_counter() - started)
