"""Hostile callers: each gets a defined status, soon; nobody else notices, nothing is left, no word in the log."""

import gzip
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

import httpx
import psutil
import pytest

from tellapart.training.run import Run

from .hostile import plain

SOON_S = 2.0
MEMORY = 256_000_000  # bytes more than before
GOOD = plain("PNG", 20, (180, 60, 60))
BOUNDARY = "xyz"


@dataclass(frozen=True)
class Service:
    """`tellapart serve` in a process of its own."""

    address: str
    process: psutil.Process
    log: Path
    temporary: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rpartition(":")[2])

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """A connection that is closed in the end."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            yield connection

    def good(self) -> dict[str, object]:
        """What it says of the good image."""
        answer = httpx.post(f"{self.address}/v1/predict", files={"image": ("good.png", GOOD)}, timeout=20)
        assert answer.status_code == 200
        found: dict[str, object] = answer.json()["answers"][0]
        return found

    def memory(self) -> int:
        """Bytes that it holds, in all its processes."""
        return sum(one.memory_info().rss for one in [self.process, *self.process.children()])

    def queue(self) -> float:
        """Images under way, by its own account."""
        text = httpx.get(f"{self.address}/metrics").text
        found = re.search(r"^tellapart_queue_pictures (\S+)", text, re.MULTILINE)
        assert found is not None
        return float(found[1])


@contextmanager
def serving(bundle: Path, folder: Path, *words: str) -> Iterator[Service]:
    log, temporary = folder / "log", folder / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "tellapart", "serve", str(bundle), "--port", "0", "--workers", "1", *words]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with log.open("wb") as stream, subprocess.Popen(command, stderr=stream, env=environment) as process:
        try:
            deadline = time.monotonic() + 60
            while not (found := re.search(r"http://[^\s;]+", log.read_text())):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield Service(found[0], psutil.Process(process.pid), log, temporary)
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def service(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all: what harms it shows in the tests that follow."""
    with serving(trained.bundle.folder, tmp_path_factory.mktemp("service"), "--deadline", "1s") as service:
        yield service


@pytest.fixture
def unharmed(service: Service) -> Iterator[Service]:
    """After the test the good image is answered as before, and nothing is left."""
    before, held, written = service.good(), service.memory(), service.log.read_text()
    yield service
    assert service.good() == before
    assert service.memory() - held < MEMORY
    assert service.queue() == 0
    assert service.log.read_text() == written
    assert list(service.temporary.iterdir()) == []


def part(content: bytes, *, name: bytes = b"image", file: bytes = b"a.png") -> bytes:
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n'
    return head % (BOUNDARY.encode(), name, file) + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def request(body: bytes, kind: str, *more: str, length: int | None = None) -> bytes:
    lines = ["POST /v1/predict HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", *more]
    if not any(line.startswith("Transfer-Encoding") for line in more):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answered(
    service: Service, content: bytes, *, step: int | None = None, within_s: float = SOON_S
) -> tuple[int, dict[str, object]]:
    """Send bytes, `step` at a time, and read one answer, which comes within the time. A reset would raise."""
    started = time.monotonic()
    with service.connected() as connection:
        for start in range(0, len(content), step or len(content)):
            connection.sendall(content[start : start + (step or len(content))])
        answer = HTTPResponse(connection)
        answer.begin()
        body = answer.read()
    assert time.monotonic() - started < within_s
    assert answer.status != 503 or answer.headers["retry-after"]
    return answer.status, json.loads(body) if answer.headers["content-type"] == "application/json" else {}


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


BOMB = gzip.compress(bytes(500_000_000), 1)  # half a megabyte or so that unpacks to a thousand times as much
FORM_BODY = part(GOOD) + END
SENT: dict[str, tuple[bytes, int]] = {
    "wrong content type": (request(FORM_BODY, "text/html"), 415),
    "no content type": (request(FORM_BODY, ""), 415),
    "content type of 60 KB": (request(GOOD, "image/" + "x" * 60_000), 200),
    "JSON with an address": (request(b'{"url": "http://127.0.0.1/"}', "application/json"), 400),
    "10,000 parts": (request(part(b"x", name=b"other") * 10_000 + END, FORM), 400),
    "10,000 images": (request(part(GOOD) * 10_000 + END, FORM), 413),
    "10,000 empty parts": (request(b"--xyz\r\n\r\n\r\n" * 10_000 + END, FORM), 400),
    "8 KB boundary": (request(FORM_BODY, f"multipart/form-data; boundary={'x' * 8000}"), 400),
    "a part's head of 1 MB": (request(part(GOOD, file=b"x" * 1_000_000) + END, FORM), 400),
    "10,000 heads of a part": (
        request(b"--xyz\r\n" + b"X: y\r\n" * 10_000 + b"\r\nx\r\n" + END, FORM),
        400,
    ),
    "nested form": (request(part(request(FORM_BODY, FORM)) + END, FORM), 200),
    "no end": (request(part(GOOD), FORM), 400),
    "urlencoded bomb": (request(b"a=b&" * 2_000_000, "application/x-www-form-urlencoded"), 415),
    "gzip bomb by content encoding": (request(BOMB[:9_000_000], "image/png", "Content-Encoding: gzip"), 415),
    "unknown content encoding": (request(GOOD, "image/png", "Content-Encoding: br, gzip"), 415),
    "gzip bomb by transfer encoding": (request(BOMB, "image/png", "Transfer-Encoding: gzip, chunked"), 400),
    "gzip bomb as an image": (request(BOMB[:9_000_000], "image/png"), 415),
    "6-byte chunks": (request(chunked(GOOD, 6), "image/png", "Transfer-Encoding: chunked"), 200),
    "6-byte chunks of a form": (request(chunked(FORM_BODY, 6), FORM, "Transfer-Encoding: chunked"), 200),
    "6-byte chunks without end": (
        request(b"6\r\nxxxxxx\r\n" * 50_000, "image/png", "Transfer-Encoding: chunked"),
        400,
    ),
    "chunk of a negative size": (request(b"-6\r\nxxxxxx\r\n0\r\n\r\n", "image/png", "Transfer-Encoding: chunked"), 400),
    "chunk of 2^64 bytes": (request(b"f" * 17 + b"\r\n" + b"x", "image/png", "Transfer-Encoding: chunked"), 408),
    "length and chunks": (
        request(chunked(GOOD, 50), "image/png", "Transfer-Encoding: chunked", "Content-Length: 3"),
        400,
    ),
    "a length twice": (request(GOOD, "image/png", f"Content-Length: {len(GOOD)}"), 400),
    "JSON of great depth": (request(b"[" * 1_000_000, "application/json"), 400),
    "two lengths": (request(GOOD, "image/png", "Content-Length: 3"), 400),
    "negative length": (request(GOOD, "image/png", length=-5), 400),
    "length of 10^30": (request(b"", "image/png", length=10**30), 400),
    "length of 20 GB": (request(b"", "image/png", length=20_000_000_000), 413),
    "length too small": (request(GOOD, "image/png", length=50), 415),
    "length too large": (request(GOOD, "image/png", length=len(GOOD) + 1000), 408),
    "1,000 headers": (request(GOOD, "image/png", *(f"X-{number}: y" for number in range(1000))), 200),
    "a header of 1 MB": (request(GOOD, "image/png", f"X: {'y' * 1_000_000}"), 400),
    "two hosts": (request(GOOD, "image/png", "Host: evil.example"), 400),
    "a outlier's host": (request(GOOD, "image/png").replace(b"localhost", b"evil.example"), 421),
    "no path": (request(GOOD, "image/png").replace(b"/v1/predict", b"*"), 404),
    "a path that leaves the folder": (b"GET /page/..%2f..%2fapp.py HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    "a path with NUL": (b"GET /page/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    "an address as a path": (b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    "another protocol": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    "an upgrade": (
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        200,
    ),
}


@pytest.mark.parametrize("name", SENT)
def test_each_has_its_status_soon(unharmed: Service, name: str) -> None:
    content, expected = SENT[name]
    status, body = answered(unharmed, content)
    assert status == expected, body
    assert status != 200 or body


NAMES = {
    "traversal": b"../../../etc/passwd",
    "backslash": rb"..\\..\\x.png",
    "NUL": b"a\x00.png",
    "bidi": "a\u202egnp.exe".encode(),
    "4 KB": b"x" * 4000,
    "no UTF-8": b"\xff\xfe.png",
    "markup": b"<script>alert(1)</script>.png",
    "line feed": b"a%0Ab.png",
    "empty": b"",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_files_name_is_only_text(unharmed: Service, name: str) -> None:
    status, body = answered(unharmed, request(part(GOOD, file=NAMES[name]) + END, FORM))
    assert status in (200, 400)
    if status == 200:
        assert '"path"' in json.dumps(body)


def test_a_good_image_may_come_a_few_bytes_at_a_time(unharmed: Service) -> None:
    status, body = answered(unharmed, request(FORM_BODY, FORM), step=6)
    assert status == 200
    assert body["answers"]


def reset(connection: socket.socket) -> None:
    """Let closing be a reset: nothing more is sent, nothing read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("end", [lambda _: None, reset])
def test_a_thousand_uploads_that_break_off_leave_nothing(
    unharmed: Service, end: Callable[[socket.socket], None]
) -> None:
    whole = request(FORM_BODY, FORM)
    files = unharmed.process.num_fds()
    for number in range(1000):
        with unharmed.connected() as connection:
            connection.sendall(whole[: 1 + number % (len(whole) + 1)])  # some of the head, of the form, or all
            end(connection)
    deadline = time.monotonic() + 10
    while unharmed.process.num_fds() > files + 5 or unharmed.queue():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_slow_callers_hold_up_nobody(unharmed: Service) -> None:
    ended = threading.Event()

    def drip(number: int) -> None:
        content = request(FORM_BODY, FORM) if number % 2 else b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 99
        with unharmed.connected() as connection:
            connection.sendall(content[: 150 if number % 2 else 20])
            while not ended.wait(1):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    with ThreadPoolExecutor(200) as pool:
        slow = [pool.submit(drip, number) for number in range(200)]
        try:
            time.sleep(0.5)
            for _ in range(20):
                started = time.monotonic()
                unharmed.good()
                assert time.monotonic() - started < SOON_S
        finally:
            ended.set()
        for one in slow:
            one.result(20)


def test_more_than_it_can_do_is_refused_and_what_is_accepted_is_answered(trained: Run, tmp_path: Path) -> None:
    photo = plain("PNG", 1200, (180, 60, 60))
    with serving(trained.bundle.folder, tmp_path, "--queue", "4") as service:
        before, held = service.good(), service.memory()

        def ask(number: int) -> int:
            content = request(photo, "image/png") if number % 2 else request(part(photo) + END, FORM)
            return answered(service, content, within_s=20)[0]

        with ThreadPoolExecutor(32) as pool:
            statuses = list(pool.map(ask, range(300)))
        assert set(statuses) == {200, 503}
        assert service.good() == before
        assert service.queue() == 0
        assert service.memory() - held < 64_000_000
        assert "Traceback" not in service.log.read_text()
