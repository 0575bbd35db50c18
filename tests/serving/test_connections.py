"""Connections at the socket level: complete error responses, timeouts, no resets."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import h11
import httpx
import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from tellapart.serving import connections
from tellapart.serving.settings import Settings

from .conftest import FakeRunner, running, wait_until

FORM = "Content-Type: image/png"


def head(length: int, *, path: str = "/v1/predict", extra: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{FORM}\r\n{extra}Content-Length: {length}\r\n\r\n".encode()


@contextmanager
def connected(service: SimpleNamespace) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        yield connection


def status(connection: socket.socket) -> int:
    """Read one response to its end, and return its status."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def drip(connection: socket.socket, content: bytes) -> None:
    for byte in content:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes the connection; a reset would raise."""
    content = b""
    while chunk := connection.recv(65536):
        content += chunk
    return content


@contextmanager
def overloaded(reddish: bytes, **settings: float) -> Iterator[SimpleNamespace]:
    """Run a service whose queue is full."""
    with running(settings=Settings(workers=1, queue=1, deadline_s=20)) as service:
        runner: FakeRunner = service.predictor.runner
        runner.resume = threading.Event()
        with connected(service) as first:
            first.sendall(head(len(reddish)) + reddish)
            wait_until(lambda: service.inner.admission.full)
            yield service
            runner.resume.set()
            assert status(first) == 200


def test_a_rejection_under_load_is_complete_though_the_body_was_not_read(reddish: bytes) -> None:
    with overloaded(reddish) as service:
        for size in (0, 10, 5_000_000):
            with connected(service) as connection:
                connection.sendall(head(size))
                connection.sendall(b"x" * size)  # while the rejection is in transit
                answer = read_all(connection)
            top, _, body = answer.partition(b"\r\n\r\n")
            assert top.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"\r\nRetry-After: 1" in top
            assert b"\r\nX-Content-Type-Options: nosniff" in top
            assert "retry in 1 s" in json.loads(body)["error"]


def test_a_rejection_does_not_wait_for_the_body(reddish: bytes) -> None:
    with overloaded(reddish) as service, connected(service) as connection:
        started = time.monotonic()
        connection.sendall(head(1_000_000))
        assert b" 503 " in connection.recv(100)
        assert time.monotonic() - started < 1


def test_other_routes_are_answered_under_load(reddish: bytes) -> None:
    with overloaded(reddish) as service:
        for path in ("/health", "/ready", "/metrics", "/v1/model", "/"):
            assert httpx.get(f"{service.address}{path}").status_code == 200


def test_a_kept_alive_connection_is_rejected_cleanly_too(reddish: bytes) -> None:
    with overloaded(reddish) as service, httpx.Client(base_url=service.address) as client:
        for _ in range(5):
            assert client.get("/health").status_code == 200
            assert client.post("/v1/predict", content=reddish, headers={"content-type": "image/png"}).status_code == 503


def test_after_an_early_error_the_rest_is_discarded_and_the_connection_stays_usable(reddish: bytes) -> None:
    with running() as service, connected(service) as connection:
        connection.sendall(head(3_000_000).replace(b"image/png", b"text/html"))
        assert status(connection) == 415
        connection.sendall(b"x" * 3_000_000)
        connection.sendall(head(len(reddish)) + reddish)
        assert status(connection) == 200


def test_the_rest_of_a_refused_body_is_awaited_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_DISCARD_S", 0.3)
    with running() as service, connected(service) as connection:
        connection.sendall(head(3_000_000).replace(b"image/png", b"text/html"))
        started = time.monotonic()
        assert b" 415 " in read_all(connection)
        assert 0.2 < time.monotonic() - started < 3


def test_a_slow_head_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_HEAD_S", 0.5)
    with running() as service:
        with connected(service) as silent:
            assert read_all(silent) == b""
        with connected(service) as dripping:
            started = time.monotonic()
            with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
                drip(dripping, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1000)
            assert time.monotonic() - started < 5


def test_a_slow_body_is_refused(reddish: bytes) -> None:
    with running(settings=Settings(workers=1, deadline_s=0.3)) as service, connected(service) as connection:
        connection.sendall(head(1000) + reddish[:10])
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"only 10 bytes arrived" in answer


def test_a_body_in_very_many_chunks_is_refused() -> None:
    with running() as service, connected(service) as connection:
        connection.sendall(head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
        started = time.monotonic()
        try:
            for _ in range(300):
                connection.sendall(b"6\r\nxxxxxx\r\n" * 1000)
            answer = read_all(connection)
        except ConnectionError:  # refused while this client was still sending
            answer = b"HTTP/1.1 400 "
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert time.monotonic() - started < 5
        assert httpx.get(f"{service.address}/health").status_code == 200


def test_invalid_http_is_refused_without_a_log_entry(log_records: list[object]) -> None:
    with running() as service:
        for invalid in (
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"hello\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\x00" * 100_000,
        ):
            with connected(service) as connection:
                connection.sendall(invalid)
                connection.shutdown(socket.SHUT_WR)
                assert read_all(connection)[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 421 ", b"")
        with connected(service) as connection:  # invalid bytes after an early response
            bad = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked").replace(b"image", b"text")
            connection.sendall(bad)
            assert status(connection) == 415
            connection.sendall(b"zzz\r\n")
            read_all(connection)
        service.stop()
    assert not log_records


def test_uvicorn_has_the_private_parts_that_connections_use() -> None:
    protocol_methods = {
        "connection_made",
        "connection_lost",
        "data_received",
        "on_response_complete",
        "send_400_response",
        "_unset_keepalive_if_required",
    }
    assert protocol_methods <= vars(H11Protocol).keys()
    config = uvicorn.Config(lambda *_: None, http=H11Protocol)
    config.load()
    protocol = H11Protocol(config, uvicorn.server.ServerState(), {}, _loop=asyncio.new_event_loop())
    protocol.loop.close()
    assert {"conn", "cycle", "transport", "loop"} <= vars(protocol).keys()
    assert isinstance(protocol.conn, h11.Connection)
    assert "send_400_response" in H11Protocol.handle_events.__code__.co_names  # on a RemoteProtocolError
    assert "on_response_complete" in H11Protocol.handle_events.__code__.co_names
    cycle_fields = {"disconnected", "message_event", "response_started", "response_complete"}
    assert cycle_fields <= {*RequestResponseCycle.__init__.__code__.co_names}


@pytest.mark.parametrize(
    "twice",
    ["Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n", "content-length:5\r\n", "Content-Length: 6\r\n"],
)
def test_a_body_whose_end_is_stated_twice_is_refused_and_the_connection_closed(
    twice: str, service: SimpleNamespace
) -> None:
    with connected(service) as connection:
        connection.sendall(head(5, extra=twice) + b"0\r\n\r\n" + b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_lengths_in_a_body_are_no_headers(service: SimpleNamespace) -> None:
    with connected(service) as connection:
        body = b"Content-Length: 5\r\nContent-Length: 5\r\n"
        connection.sendall(head(len(body)) + body)
        assert status(connection) == 415


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_an_early_refusal_reaches_a_caller_who_wants_the_connection_closed(size: int, service: SimpleNamespace) -> None:
    for _ in range(3):
        with connected(service) as connection:
            connection.sendall(head(size, extra="Connection: close\r\n").replace(b"image/png", b"text/html"))
            time.sleep(0.02)  # the refusal is on its way
            connection.sendall(b"x" * size)
            assert b" 415 " in read_all(connection)[:20]
