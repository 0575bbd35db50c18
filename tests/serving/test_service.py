"""Requests through the service: the queue, deadlines, disconnected clients, explanations."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tellapart import Predictor
from tellapart.data.decoding.decode import decode
from tellapart.serving.backend import BackendResult, WorkerLostError
from tellapart.serving.server import server_for
from tellapart.serving.service import Service
from tellapart.serving.settings import Settings
from tellapart.serving.upload import Upload

from .conftest import ONE_WORKER, FakeOverlays, FakePredictor, image, run_server, running, wait_until


def predict(service: SimpleNamespace, content: bytes, query: str = "") -> httpx.Response:
    return httpx.post(f"{service.address}/v1/predict{query}", files={"image": ("a.png", content)}, timeout=30)


def test_requests_beyond_the_queue_are_rejected_immediately_and_the_others_answered(reddish: bytes) -> None:
    with running(settings=Settings(workers=1, queue=2, deadline_s=20)) as service, ThreadPoolExecutor(2) as pool:
        runner = service.predictor.runner
        runner.resume = threading.Event()
        accepted = [pool.submit(predict, service, reddish) for _ in range(2)]
        wait_until(lambda: service.inner.admission.full)
        for _ in range(5):
            rejected = predict(service, reddish)
            assert rejected.status_code == 503
            assert int(rejected.headers["retry-after"]) >= 1
            assert "retry in 1 s" in rejected.json()["error"]
            assert rejected.elapsed.total_seconds() < 1
        assert httpx.get(f"{service.address}/health").status_code == 200
        runner.resume.set()
        assert [response.result(20).status_code for response in accepted] == [200, 200]
        wait_until(lambda: service.inner.admission.in_flight == 0)
        assert predict(service, reddish).status_code == 200


def test_each_image_of_a_request_counts_towards_the_queue(reddish: bytes) -> None:
    with running(settings=Settings(workers=1, queue=3, deadline_s=20)) as service, ThreadPoolExecutor(1) as pool:
        runner = service.predictor.runner
        runner.resume = threading.Event()
        accepted = pool.submit(predict, service, reddish)
        wait_until(lambda: service.inner.admission.in_flight == 1)
        files = [("image", ("a.png", reddish))] * 3
        assert httpx.post(f"{service.address}/v1/predict", files=files).status_code == 503
        assert (
            httpx.post(f"{service.address}/v1/predict", files=[*files, files[0]]).status_code == 413
        )  # never accepted
        runner.resume.set()
        assert accepted.result(20).status_code == 200


def test_a_request_past_its_deadline_is_rejected(reddish: bytes) -> None:
    with running(settings=Settings(workers=1, deadline_s=2.5)) as service:
        assert predict(service, reddish).status_code == 200
        service.predictor.runner.resume = threading.Event()
        late = predict(service, reddish)
        assert late.status_code == 503
        assert "no answer within 2.5 s" in late.json()["error"]
        assert "retry-after" in late.headers
        service.predictor.runner.resume.set()
        wait_until(lambda: service.inner.admission.in_flight == 0)
        assert predict(service, reddish).status_code == 200


def test_a_disconnected_client_frees_its_place(reddish: bytes) -> None:
    with running(settings=Settings(workers=1, queue=4, deadline_s=60)) as service:
        runner = service.predictor.runner
        runner.resume = threading.Event()
        head = (
            f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {len(reddish)}"
        )
        for _ in range(4):
            with socket.create_connection(("127.0.0.1", service.port)) as connection:
                connection.sendall(f"{head}\r\n\r\n".encode() + reddish)
                wait_until(lambda: service.inner.admission.in_flight == 1)
            wait_until(lambda: service.inner.admission.in_flight == 0)
        runner.resume.set()
        assert predict(service, reddish).status_code == 200


def test_an_explanation_is_returned_on_request(reddish: bytes) -> None:
    overlays = FakeOverlays()
    with running(overlays=overlays) as service:
        assert httpx.get(f"{service.address}/v1/model").json()["can_explain"] is True
        (plain,) = predict(service, reddish).json()["answers"]
        assert "explanation" not in plain
        (explained,) = predict(service, reddish, "?explain=true&top=1").json()["answers"]
        assert explained["explanation"] == {"overlay": "data:image/png;base64,AAAA", "method": "cam"}
        assert overlays.calls == [((24, 32, 3), (240, 320, 3), "red")]


def test_a_classifier_that_cannot_explain_answers_without_explanation(reddish: bytes) -> None:
    with running() as service:
        (answer,) = predict(service, reddish, "?explain=true").json()["answers"]
        assert answer["label"] == "red"
        assert "explanation" not in answer


def test_a_real_bundle_predicts_like_predict_one_and_explains(shades: Path) -> None:
    predictor = Predictor(shades)
    photo = image((230, 230, 230), size=(80, 40))
    with running(predictor) as service:
        (answer,) = predict(service, photo, "?explain=true").json()["answers"]
    expected: dict[str, Any] = predictor.predict_one(photo, path="a.png").as_json()
    explanation = answer.pop("explanation")
    assert answer == expected
    assert explanation["method"] in ("cam", "occlusion")
    assert explanation["overlay"].startswith("data:image/png;base64,")


def test_the_overlay_covers_the_whole_photo(shades: Path) -> None:
    import base64

    photo = image((230, 230, 230), size=(80, 40))
    with running(Predictor(shades)) as service:
        (answer,) = predict(service, photo, "?explain=true").json()["answers"]
    drawn = decode(base64.b64decode(answer["explanation"]["overlay"].partition(",")[2]))
    assert drawn.shape == (40, 80, 3)
    assert np.ptp(drawn) > 0


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_images_of_every_mode_are_explained(shades: Path, tmp_path: Path, mode: str) -> None:
    Image.new(mode, (30, 20)).save(tmp_path / "a.png")
    with running(Predictor(shades)) as service:
        answer = predict(service, (tmp_path / "a.png").read_bytes(), "?explain=true")
    assert answer.json()["answers"][0]["explanation"]["overlay"]


class FlakyBackend:
    """A backend whose first image is lost."""

    explains = False

    def __init__(self) -> None:
        self.closed = False
        self._calls = 0

    async def __call__(self, upload: Upload, *, top: int, explain: bool, logits: bool) -> BackendResult:
        """Return a result, from the second image on."""
        assert (top, explain, logits) == (1, False, False)
        self._calls += 1
        if self._calls == 1:
            raise WorkerLostError("the worker died")
        return BackendResult(
            {"path": upload.name, "label": "red", "unknown": False, "probability": 1.0, "top": []}, {"infer": 0.1}
        )

    def close(self) -> None:
        """Record the call."""
        self.closed = True


def test_an_image_lost_with_its_worker_may_be_retried(reddish: bytes) -> None:
    backend = FlakyBackend()
    service = Service(FakePredictor().bundle, ONE_WORKER, backend)
    with run_server(server_for(service)) as server, httpx.Client(base_url=server.address) as client:
        answers = [client.post("/v1/predict?top=1", files={"image": ("a.png", reddish)}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [503, 200]
        assert answers[0].json() == {"error": "the worker died: retry in 1 s or later"}
        assert answers[0].headers["Retry-After"] == "1"
        assert answers[1].json()["answers"][0]["label"] == "red"
        text = client.get("/metrics").text
        assert 'tellapart_rejects_total{reason="lost"} 1.0' in text
        assert 'tellapart_stage_seconds_sum{stage="infer"} 0.1' in text
        assert not client.get("/v1/model").json()["can_explain"]
    assert backend.closed
