"""A bundle served by replicas: the same answers and refusals as the embedded service, whatever happens to a replica."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

import httpx
import psutil
import pytest
from PIL import Image

from tellapart import Predictor
from tellapart.errors import ClusterError
from tellapart.jobs import Jobs
from tellapart.scale import ray_serve, replicas
from tellapart.scale.ray_serve import ReplicaCount
from tellapart.scale.replica import Replicas
from tellapart.scale.replicas import replicated
from tellapart.serving.server import Server, local_server, server_for
from tellapart.serving.service import Service
from tellapart.serving.settings import Settings
from tellapart.training.run import Run

from .conftest import waited

SMALL = Settings(max_body_bytes=100_000, max_pixels=1_000_000, deadline_s=60)  # a busy machine is no failure
NAME = "tellapart-tested"


def test_another_bundle_on_a_node_is_refused(cluster: Jobs, trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    del cluster
    monkeypatch.setattr(replicas, "sha256", lambda _: "0" * 64)
    monkeypatch.setattr(ray_serve, "MAX_START_TRIES", 1)
    with (
        pytest.raises(
            ClusterError, match=r"no replica could be started: .* is a different bundle on a worker's machine"
        ),
        replicated(trained.bundle, ReplicaCount(1, 1), SMALL, name="other"),
    ):
        pass


@pytest.fixture(scope="module")
def service(cluster: Jobs, trained: Run) -> Iterator[Service]:
    """Two replicas."""
    del cluster
    with replicated(trained.bundle, ReplicaCount(2, 2), SMALL, name=NAME) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with called(server_for(service)) as client:
        yield client


@pytest.fixture(scope="module")
def embedded(trained: Run) -> Iterator[httpx.Client]:
    with called(local_server(Predictor(trained.bundle), SMALL)) as client:
        yield client


@contextmanager
def called(httpd: Server) -> Iterator[httpx.Client]:
    """Run a server in a thread, and give who calls it."""
    httpd.config.port = 0
    thread = threading.Thread(target=httpd.run)
    thread.start()
    try:
        waited(lambda: httpd.started)
        port = httpd.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            yield client
    finally:
        httpd.should_exit = True
        thread.join(20)


def asked(client: httpx.Client, content: bytes, **parameters: bool) -> httpx.Response:
    return client.post("/v1/predict", params=parameters, files={"image": ("an image", content)})


def test_replicas_predict_as_the_local_service_and_the_predictor_do(
    client: httpx.Client, embedded: httpx.Client, trained: Run, tiny: Path
) -> None:
    files = sorted(tiny.rglob("*.png"))[::2]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda file: asked(client, file.read_bytes()).json()["answers"][0], files))
    assert answers == [asked(embedded, file.read_bytes()).json()["answers"][0] for file in files]
    for answer, prediction in zip(answers, Predictor(trained.bundle).predict(files), strict=True):
        expected = prediction.as_json()
        assert answer["label"] == expected["label"]
        assert answer["probability"] == pytest.approx(expected["probability"], abs=1e-5)
    assert client.get("/v1/model").json() == embedded.get("/v1/model").json()
    assert client.get("/").text == embedded.get("/").text


def test_refusals_are_those_of_the_local_service(client: httpx.Client, embedded: httpx.Client) -> None:
    stream = io.BytesIO()
    Image.new("L", (2_000, 2_000)).save(stream, "PNG")
    refusals = {415: (b"no image", stream.getvalue(), b"\xff\xd8\xff"), 413: (bytes(200_000),), 400: (b"",)}
    for status, contents in refusals.items():
        for content in contents:
            answer, expected = asked(client, content), asked(embedded, content)
            assert (answer.status_code, answer.json()) == (status, expected.json())
    both = [("image", ("good", _image())), ("image", ("bad", b"no image"))]
    assert client.post("/v1/predict", files=both).json() == embedded.post("/v1/predict", files=both).json()


def test_an_explanation_is_drawn_by_a_replica(client: httpx.Client) -> None:
    explanation = asked(client, _image(), explain=True).json()["answers"][0]["explanation"]
    assert explanation["overlay"].startswith("data:image/png;base64,")


def test_the_token_is_required(service: Service) -> None:
    token = "0123456789" * 2
    settings = replace(service.settings, token=token)
    with called(server_for(Service(service.bundle, settings, service.backend))) as client:
        assert asked(client, _image()).status_code == 401
        client.headers["Authorization"] = f"Bearer {token}"
        assert asked(client, _image()).status_code == 200
        assert client.get("/ready", headers={"Host": "elsewhere.example"}).status_code == 421


def test_images_of_replicas_are_counted_once(client: httpx.Client) -> None:
    before = _counted(client)
    for _ in range(6):
        assert asked(client, _image()).status_code == 200
    assert _counted(client) == before + 6
    assert 'tellapart_stage_seconds_count{stage="infer"}' in client.get("/metrics").text


def test_a_late_prediction_is_an_error(service: Service) -> None:
    assert isinstance(service.backend, Replicas)
    hasty = Service(service.bundle, service.settings, replace(service.backend, deadline_s=1e-6))
    with called(server_for(hasty)) as client:
        answer = asked(client, _image())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert 'tellapart_rejects_total{reason="late"} 1.0' in client.get("/metrics").text


def test_a_killed_replica_is_replaced_and_no_prediction_is_wrong(client: httpx.Client) -> None:
    expected = asked(client, _image()).json()
    first = _pids()
    assert len(first) == 2
    decoders = [child for pid in first for child in psutil.Process(pid).children()]
    assert len(decoders) == 2
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(asked, client, _image()) for _ in range(60)]
        os.kill(min(first), signal.SIGKILL)
        found = [one.result() for one in answers]
    assert {one.status_code for one in found} <= {200, 503}
    assert all(one.json() == expected for one in found if one.status_code == 200)
    assert all(one.headers["Retry-After"] for one in found if one.status_code == 503)
    waited(lambda: len(_pids()) == 2 and _pids() != first)
    assert sum(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in decoders) == 1
    assert asked(client, _image()).json() == expected


def test_more_replicas_than_cores_are_refused(cluster: Jobs, trained: Run) -> None:
    del cluster
    with (
        pytest.raises(ClusterError, match=r"--replicas is 3 at least, .* has 2 cores: give a smaller number"),
        replicated(trained.bundle, ReplicaCount(3, 8), SMALL, name="many"),
    ):
        pass


@pytest.mark.parametrize("count", [(0, 2), (3, 2), (-1, -1)])
def test_an_invalid_replica_count_is_refused(count: tuple[int, int]) -> None:
    with pytest.raises(ClusterError, match="expected 1 or more"):
        ReplicaCount(*count)


def test_the_command_serves_and_ends_all_its_processes(trained: Run, tmp_path: Path) -> None:
    words = ["serve", str(trained.bundle.folder), "--port", "0", "--on", "ray", "--replicas", "1"]
    without = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    running = subprocess.Popen(
        [sys.executable, "-m", "tellapart", *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**without, "HOME": str(tmp_path)},
        start_new_session=True,
    )
    started: list[psutil.Process] = []
    assert running.stderr is not None
    try:
        address = _address(running.stderr)
        started += psutil.Process(running.pid).children(recursive=True)
        assert httpx.post(f"{address}/predict", files={"image": _image()}, timeout=30).status_code == 200
        os.killpg(running.pid, signal.SIGINT)  # as Ctrl-C does: to all in the terminal
        assert running.wait(40) == 0
        assert running.stderr.read() == ""
        waited(lambda: not [one for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE])
    finally:
        running.kill()
        running.wait()
        running.stderr.close()
        for one in started:
            with suppress(psutil.NoSuchProcess):
                one.kill()


def _address(said: IO[str]) -> str:
    lines = list[str]()
    for line in said:
        lines.append(line)
        if found := re.search(r" is served at (http://127\.0\.0\.1:\d+); press Ctrl-C to stop$", line):
            assert any("starting a replica of" in one for one in lines)
            return found[1]
    raise AssertionError(lines)


def _image() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (30, 20), (200, 30, 20)).save(stream, "PNG")
    return stream.getvalue()


def _counted(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("tellapart_predictions_total"))


def _pids() -> set[int]:
    """The replicas of this test's app: Ray Serve names their processes so."""
    found = set[int]()
    for process in psutil.process_iter(["cmdline"]):
        if f"ServeReplica:{NAME}" in " ".join(process.info["cmdline"] or []):
            found.add(process.pid)
    return found
