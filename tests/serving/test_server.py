"""The server: listening, starting and stopping."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tellapart.errors import TellapartError
from tellapart.serving import server as server_module
from tellapart.serving.server import local_server, serve

from .conftest import ONE_WORKER, image, run_server, wait_until


def test_serve_prints_its_address_and_stops_on_ctrl_c(
    service: SimpleNamespace, reddish: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    labels = []

    def predict_then_interrupt() -> None:
        transport = httpx.HTTPTransport(retries=5)  # the server may not be listening yet
        with httpx.Client(transport=transport) as client:
            labels.append(client.post(f"{address}/predict", files={"image": ("a", reddish)}).json()["label"])
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=predict_then_interrupt).start()
    serve(service.predictor, port=port)
    assert labels == ["red"]
    assert capsys.readouterr().err == f"colours is served at {address}; press Ctrl-C to stop\n"
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_an_unusable_address_is_an_error(service: SimpleNamespace) -> None:
    invalid: list[tuple[dict[str, Any], str]] = [
        ({"port": service.port}, f"port {service.port} of 127.0.0.1 is already in use"),
        ({"port": 70_000}, "expected a number from 0 to 65535"),
        ({"host": "192.0.2.1"}, "cannot listen on 192.0.2.1"),  # reserved for documentation
        ({"host": "no-such-host.invalid"}, "cannot listen on no-such-host.invalid"),
    ]
    for arguments, message in invalid:
        with pytest.raises(TellapartError, match=message):
            serve(service.predictor, **arguments)


@contextmanager
def process(bundle: Path, *options: str, **environment: str) -> Iterator[SimpleNamespace]:
    """Run `tellapart serve` in a process; yield its address, and kill it at the end."""
    command = [sys.executable, "-m", "tellapart", "serve", str(bundle), "--port", "0", *options]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    assert running.stderr is not None
    try:
        line = running.stderr.readline()
        assert "is served at http://" in line, line + running.stderr.read()
        yield SimpleNamespace(address=line.partition(" served at ")[2].partition(";")[0], process=running)
    finally:
        running.kill()
        running.wait()
        running.stderr.close()


def test_sigterm_answers_accepted_requests_and_exits_cleanly(shades: Path) -> None:
    light = image((250, 250, 250), size=(2000, 2000))
    with process(shades) as service, ThreadPoolExecutor(8) as pool, httpx.Client(base_url=service.address) as client:
        assert client.get("/ready").status_code == 200
        predict = partial(httpx.post, f"{service.address}/predict", files={"image": ("a", light)}, timeout=30)
        responses = [pool.submit(predict) for _ in range(16)]
        wait_until(lambda: any(response.done() for response in responses))
        service.process.send_signal(signal.SIGTERM)
        signalled = time.monotonic()
        wait_until(lambda: _status(client, "/ready") != 200, limit_s=1)
        assert [response.result(30).status_code for response in responses] == [200] * 16
        assert service.process.wait(20) == 0
        assert time.monotonic() - signalled < 20
        assert service.process.stderr.read() == ""


def test_a_prediction_without_end_cannot_keep_the_service(
    service: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = threading.Event()
    statuses: list[int] = []

    def end(status: int) -> None:
        statuses.append(status)
        ended.set()

    monkeypatch.setattr(server_module, "END_S", 0.1)
    monkeypatch.setattr(os, "_exit", end)
    server = local_server(service.predictor)
    monkeypatch.setattr(server.config.app.state.service.backend, "close", ended.wait)  # type: ignore[union-attr]
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    wait_until(lambda: server.started)
    server.handle_exit(signal.SIGINT, None)
    thread.join()
    assert statuses == [1]
    assert "a prediction has not ended" in capsys.readouterr().err


def test_a_service_that_ends_in_time_is_not_ended_by_force(service: SimpleNamespace) -> None:
    server = local_server(service.predictor)
    thread = threading.Thread(target=server.run, args=([socket.create_server(("127.0.0.1", 0))],))
    thread.start()
    wait_until(lambda: server.started)
    server.handle_exit(signal.SIGINT, None)
    thread.join()
    assert not any(isinstance(one, threading.Timer) and not one.finished.is_set() for one in threading.enumerate())


def test_sigterm_ends_an_idle_service_without_the_pause(
    service: SimpleNamespace, reddish: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "DRAIN_S", 600.0)
    with run_server(local_server(service.predictor, ONE_WORKER)) as idle:
        assert httpx.get(f"{idle.address}/ready").status_code == 200  # a probe is no use of it
        idle.server.handle_exit(signal.SIGTERM, None)
        idle.stop()


def test_sigterm_lets_a_service_in_use_report_that_it_ends(
    service: SimpleNamespace, reddish: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "DRAIN_S", 600.0)
    with run_server(local_server(service.predictor, ONE_WORKER)) as used:
        files = {"image": ("a", reddish)}
        assert httpx.post(f"{used.address}/predict", files=files).status_code == 200
        used.server.handle_exit(signal.SIGTERM, None)
        time.sleep(0.3)  # longer than it listens without a pause
        assert httpx.get(f"{used.address}/ready").status_code == 503
        assert httpx.post(f"{used.address}/predict", files=files).status_code == 200
        monkeypatch.setattr(server_module, "DRAIN_S", 0.0)


def _status(client: httpx.Client, path: str) -> int:
    try:
        return client.get(path).status_code
    except httpx.TransportError:
        return 0


def test_a_killed_service_leaves_no_processes(shades: Path) -> None:
    import psutil

    with process(shades) as service:
        wait_until(lambda: len(psutil.Process(service.process.pid).children()) > 0)
        children = psutil.Process(service.process.pid).children()
        service.process.kill()
        wait_until(lambda: not [child for child in children if child.is_running() and child.status() != "zombie"])


def test_a_public_address_needs_a_token_which_is_never_printed(shades: Path) -> None:
    token = "0123456789" * 2
    with process(shades, "--host", "0.0.0.0", TELLAPART_TOKEN=token) as service:  # noqa: S104  on purpose
        port = service.address.rpartition(":")[2]
        address = f"http://127.0.0.1:{port}/v1/model"
        assert httpx.get(address).status_code == 401
        assert httpx.get(address, headers={"authorization": f"Bearer {token}"}).status_code == 200
        service.process.send_signal(signal.SIGINT)
        service.process.wait(20)
        assert token not in service.process.stderr.read()
