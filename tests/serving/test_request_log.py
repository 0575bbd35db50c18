"""The request log: a line for each request, which an id connects to its response; never what is in an image."""

import io
import json
import logging
import re
import socket
import threading
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import httpx
import pytest

from tellapart.serving import request_log
from tellapart.serving.overlays import OverlayRenderer
from tellapart.serving.request_log import LogFormat, RequestLog, RequestRecord
from tellapart.serving.settings import Settings

from .conftest import FakeOverlays, FakeRunner, running, wait_until

BUNDLE = "0123456789ab"
TOKEN = "0123456789abcdef" * 2
AS_JSON = Settings(workers=1, log_format="json")
Captured = pytest.CaptureFixture[str]


def logged(capsys: Captured) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_request_is_a_line_of_json(capsys: Captured, reddish: bytes) -> None:
    overlays = cast(OverlayRenderer, FakeOverlays())
    with running(settings=AS_JSON, overlays=overlays) as service, httpx.Client(base_url=service.address) as client:
        answers = [
            client.post("/v1/predict?top=2&explain=true", files=[("image", ("secret.png", reddish))] * 2),
            client.post("/predict", files={"image": ("a.png", b"no image")}),
            client.get("/v1/model"),
            client.get("/nothing/%0D%0A" + "x" * 200),
        ]
    first, unreadable, model, missing = logged(capsys)
    assert list(first) == ["time", "id", "method", "path", "status", "images", "ms", "bundle"]
    assert datetime.fromisoformat(first["time"]).utcoffset() is not None
    assert (first["method"], first["path"], first["status"], first["images"]) == ("POST", "/v1/predict", 200, 2)
    assert list(first["ms"]) == ["total", "body", "decode", "infer", "explain", "queue"]
    assert all(0 <= ms <= first["ms"]["total"] for ms in first["ms"].values())
    assert (unreadable["status"], list(unreadable["ms"])) == (415, ["total", "body"])
    assert (model["status"], model["images"], list(model["ms"])) == (200, 0, ["total"])
    assert (missing["status"], missing["path"]) == (404, "/nothing/%0D%0A" + "x" * 65)
    for line, answer in zip((first, unreadable, model, missing), answers, strict=True):
        assert answer.headers["x-request-id"] == line["id"]
        assert answer.headers["tellapart-bundle"] == line["bundle"] == BUNDLE


def test_a_line_of_text_is_for_people(capsys: Captured, reddish: bytes) -> None:
    with running(settings=Settings(workers=1, log_format="text")) as service:
        httpx.post(
            f"{service.address}/v1/predict", files=[("image", ("a", reddish))] * 2, headers={"X-Request-ID": "7"}
        )
        httpx.get(f"{service.address}/x")
    first, second = capsys.readouterr().out.splitlines()
    stages = " ".join(rf"{stage} [\d.e-]+" for stage in ("body", "decode", "infer", "queue"))
    assert re.fullmatch(rf"\S+Z POST /v1/predict 200 [\d.]+ ms \({stages}\) images 2 id 7", first)
    assert re.fullmatch(r"\S+Z GET /x 404 [\d.]+ ms id [0-9a-f]{16}", second)


def test_nothing_is_logged_without_a_format(capsys: Captured, client: httpx.Client) -> None:
    assert client.get("/nothing").headers["x-request-id"]
    assert capsys.readouterr().out == ""


def test_answered_probes_are_left_out_and_failed_ones_are_not(capsys: Captured) -> None:
    with running(settings=AS_JSON) as service:
        for path in ("/health", "/ready", "/metrics"):
            assert httpx.get(f"{service.address}{path}").headers["tellapart-bundle"] == BUNDLE
        service.inner.admission.draining = True
        httpx.get(f"{service.address}/ready")
    assert [(line["path"], line["status"]) for line in logged(capsys)] == [("/ready", 503)]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("a-caller.S_1", True), ("x" * 64, True), ("x" * 65, False), ("", False), ('a"b', False), ("a b", False)],
)
def test_the_callers_id_is_kept_where_it_is_plain(client: httpx.Client, given: str, kept: bool) -> None:
    answered = client.get("/v1/model", headers={"X-Request-ID": given}).headers["x-request-id"]
    assert (answered == given) is kept
    assert kept or re.fullmatch(r"[0-9a-f]{16}", answered)


def test_image_content_file_names_and_tokens_are_never_logged(capsys: Captured, reddish: bytes) -> None:
    with running(settings=replace(AS_JSON, token=TOKEN)) as service, httpx.Client(base_url=service.address) as client:
        client.get("/v1/model", headers={"Authorization": "Bearer mistaken-secret"})
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        client.post("/predict", files={"image": ("private-name.png", reddish)})
        client.post("/predict", json={"image": "cGl4ZWxz@@"})
        client.get("/v1/model?key=query-secret")
    text = capsys.readouterr().out
    assert [json.loads(line)["status"] for line in text.splitlines()] == [401, 200, 400, 200]
    for private in ("secret", TOKEN, "private-name", "cGl4ZWxz", "Bearer"):
        assert private not in text


def test_a_failure_is_logged_with_its_id_here_and_in_its_traceback(
    capsys: Captured, reddish: bytes, log_records: list[logging.LogRecord]
) -> None:
    with running(settings=AS_JSON) as service:
        service.predictor.runner.broken = True
        answer = httpx.post(
            f"{service.address}/predict", files={"image": ("a", reddish)}, headers={"X-Request-ID": "me"}
        )
        service.stop()
    assert (answer.status_code, answer.headers["x-request-id"], answer.headers["tellapart-bundle"]) == (
        500,
        "me",
        BUNDLE,
    )
    assert [(line["id"], line["status"]) for line in logged(capsys)] == [("me", 500)]
    exc_info = log_records[0].exc_info
    assert exc_info is not None
    assert exc_info[1] is not None
    assert exc_info[1].__notes__ == ["request me"]


def test_rejections_before_the_application_are_logged_too(capsys: Captured, reddish: bytes) -> None:
    with (
        running(settings=replace(AS_JSON, queue=1, deadline_s=20)) as service,
        httpx.Client(base_url=service.address) as client,
    ):
        runner: FakeRunner = service.predictor.runner
        runner.resume = threading.Event()
        first = threading.Thread(target=client.post, args=("/predict",), kwargs={"files": {"image": ("a", reddish)}})
        first.start()
        wait_until(lambda: service.inner.admission.full)
        busy = httpx.post(f"{service.address}/v1/predict?top=1", content=b"x" * 9_000, headers={"X-Request-ID": "mine"})
        runner.resume.set()
        first.join()
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(b"this is not HTTP\r\n\r\n")
            invalid = connection.makefile("rb").read().decode()
    lines = {line["id"]: line for line in logged(capsys)}
    assert (busy.status_code, busy.headers["x-request-id"], busy.headers["tellapart-bundle"]) == (503, "mine", BUNDLE)
    line = lines["mine"]
    assert (line["method"], line["path"], line["status"], line["ms"]) == ("POST", "/v1/predict", 503, {"total": 0.0})
    assert invalid.startswith("HTTP/1.1 400 Bad Request\r\n")
    assert f"\r\nTellapart-Bundle: {BUNDLE}\r\n" in invalid
    line = lines[invalid.partition("X-Request-ID: ")[2].partition("\r\n")[0]]
    assert (line["method"], line["path"], line["status"]) == (None, None, 400)


class StalledStream(io.StringIO):
    """A stream whose reader reads nothing until `resume` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.stalled, self.resume = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        """Wait for the reader."""
        self.stalled.set()
        self.resume.wait(20)
        return super().write(text)


def written(log: RequestLog, count: int) -> None:
    for number in range(count):
        log.write(RequestRecord(str(number)), "GET", "/x", 200, 0.0)


@pytest.mark.parametrize(("log_format", "loss"), [("json", '{"dropped": 5}'), ("text", "5 lines were dropped")])
def test_a_reader_that_stalls_delays_nothing_and_lost_lines_are_counted(
    monkeypatch: pytest.MonkeyPatch, log_format: LogFormat, loss: str
) -> None:
    monkeypatch.setattr(request_log, "MAX_WAITING", 10)
    stream = StalledStream()
    log = RequestLog(log_format, BUNDLE, stream)
    written(log, 1)
    assert stream.stalled.wait(20)
    written(log, 15)
    stream.resume.set()
    log.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 12
    assert lines[-1] == loss  # where they are missing


def test_a_log_that_cannot_be_written_ends_with_a_sentence_and_the_service_goes_on(capsys: Captured) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    log = RequestLog("json", BUNDLE, Full())
    thread = log._thread
    assert thread is not None
    written(log, 1)
    thread.join(20)
    written(log, 1)
    log.close()
    assert capsys.readouterr().err == (
        "the request log cannot be written ([Errno 28] No space left on device): requests are no longer logged\n"
    )


def test_a_stalled_reader_cannot_keep_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "MAX_CLOSE_S", 0.1)
    stream = StalledStream()
    log = RequestLog("json", BUNDLE, stream)
    written(log, 3)
    log.close()
    assert stream.getvalue() == ""
    stream.resume.set()


def test_ids_are_readable_by_pages_of_allowed_origins() -> None:
    settings = Settings(workers=1, origins=("https://a.example",))
    with running(settings=settings) as service:
        answer = httpx.get(f"{service.address}/v1/model", headers={"Origin": "https://a.example"})
    exposed = answer.headers["access-control-expose-headers"].lower()
    assert {"x-request-id", "tellapart-bundle"} <= set(exposed.split(", "))
