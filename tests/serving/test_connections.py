"""Connections at the level of sockets: clean refusals, bounded patience, no resets."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import httpx
import pytest

from tellapart.serving import connections
from tellapart.serving.settings import Settings

from .conftest import FakeRunner, running, waited

FORM = "Content-Type: image/png"


def head(length: int, *, path: str = "/v1/predict", extra: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{FORM}\r\n{extra}Content-Length: {length}\r\n\r\n".encode()


@contextmanager
def connected(service: SimpleNamespace) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        yield connection


def status(connection: socket.socket) -> int:
    """Read one answer whole, and give its status."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def drip(connection: socket.socket, content: bytes) -> None:
    for byte in content:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def everything(connection: socket.socket) -> bytes:
    """All that comes until the other side closes; a reset would raise."""
    content = b""
    while piece := connection.recv(65536):
        content += piece
    return content


@contextmanager
def overloaded(reddish: bytes, **settings: float) -> Iterator[SimpleNamespace]:
    """A service whose only place is taken."""
    with running(settings=Settings(workers=1, queue=1, deadline_s=20)) as service:
        runner: FakeRunner = service.predictor.runner
        runner.go_on = threading.Event()
        with connected(service) as first:
            first.sendall(head(len(reddish)) + reddish)
            waited(lambda: service.parts.admission.full)
            yield service
            runner.go_on.set()
            assert status(first) == 200


def test_a_refusal_under_load_is_whole_though_the_body_was_not_read(reddish: bytes) -> None:
    with overloaded(reddish) as service:
        for size in (0, 10, 5_000_000):
            with connected(service) as connection:
                connection.sendall(head(size))
                connection.sendall(b"x" * size)  # while the refusal is on its way
                answer = everything(connection)
            top, _, body = answer.partition(b"\r\n\r\n")
            assert top.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"\r\nRetry-After: 1" in top
            assert b"\r\nX-Content-Type-Options: nosniff" in top
            assert "send it again" in json.loads(body)["error"]


def test_a_refusal_waits_for_no_body(reddish: bytes) -> None:
    with overloaded(reddish) as service, connected(service) as connection:
        started = time.monotonic()
        connection.sendall(head(1_000_000))
        assert b" 503 " in connection.recv(100)
        assert time.monotonic() - started < 1


def test_other_routes_are_answered_under_load(reddish: bytes) -> None:
    with overloaded(reddish) as service:
        for path in ("/health", "/ready", "/metrics", "/v1/model", "/"):
            assert httpx.get(f"{service.address}{path}").status_code == 200


def test_a_kept_connection_is_turned_away_cleanly_too(reddish: bytes) -> None:
    with overloaded(reddish) as service, httpx.Client(base_url=service.address) as client:
        for _ in range(5):
            assert client.get("/health").status_code == 200
            assert client.post("/v1/predict", content=reddish, headers={"content-type": "image/png"}).status_code == 503


def test_after_an_early_refusal_the_rest_is_dropped_and_the_connection_goes_on(reddish: bytes) -> None:
    with running() as service, connected(service) as connection:
        connection.sendall(head(3_000_000).replace(b"image/png", b"text/html"))
        assert status(connection) == 415
        connection.sendall(b"x" * 3_000_000)
        connection.sendall(head(len(reddish)) + reddish)
        assert status(connection) == 200


def test_the_rest_of_a_refused_body_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REST_S", 0.3)
    with running() as service, connected(service) as connection:
        connection.sendall(head(3_000_000).replace(b"image/png", b"text/html"))
        started = time.monotonic()
        assert b" 415 " in everything(connection)
        assert 0.2 < time.monotonic() - started < 3


def test_a_head_must_come_in_time_however_it_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.5)
    with running() as service:
        with connected(service) as silent:
            assert everything(silent) == b""
        with connected(service) as dripping:
            started = time.monotonic()
            with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
                drip(dripping, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1000)
            assert time.monotonic() - started < 5


def test_a_body_that_comes_too_slowly_is_given_up(reddish: bytes) -> None:
    with running(settings=Settings(workers=1, deadline_s=0.3)) as service, connected(service) as connection:
        connection.sendall(head(1000) + reddish[:10])
        answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"only 10 bytes had come" in answer


def test_a_body_in_ever_so_many_pieces_is_refused() -> None:
    with running() as service, connected(service) as connection:
        connection.sendall(head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
        started = time.monotonic()
        try:
            for _ in range(300):
                connection.sendall(b"6\r\nxxxxxx\r\n" * 1000)
            answer = everything(connection)
        except ConnectionError:  # it was refused while we were still sending, as bad clients are
            answer = b"HTTP/1.1 400 "
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert time.monotonic() - started < 5
        assert httpx.get(f"{service.address}/health").status_code == 200


def test_what_is_no_http_is_refused_without_a_word_in_the_log(complaints: list[object]) -> None:
    with running() as service:
        for nonsense in (
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"hello\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\x00" * 100_000,
        ):
            with connected(service) as connection:
                connection.sendall(nonsense)
                connection.shutdown(socket.SHUT_WR)
                assert everything(connection)[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 421 ", b"")
        with connected(service) as connection:  # nonsense after an answer was given early
            bad = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked").replace(b"image", b"text")
            connection.sendall(bad)
            assert status(connection) == 415
            connection.sendall(b"zzz\r\n")
            everything(connection)
        service.stop()
    assert not complaints
