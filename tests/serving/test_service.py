"""A request's way through the parts: places, deadlines, who has gone, explanations."""

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
from tellapart.data.image import decode
from tellapart.serving.backend import Done, LostError
from tellapart.serving.server import server_of
from tellapart.serving.service import Service
from tellapart.serving.settings import Settings
from tellapart.serving.upload import Upload

from .conftest import FEW, FakeOverlays, FakePredictor, attended, image, running, waited


def asked(service: SimpleNamespace, content: bytes, query: str = "") -> httpx.Response:
    return httpx.post(f"{service.address}/v1/predict{query}", files={"image": ("a.png", content)}, timeout=30)


def test_beyond_the_queue_requests_are_refused_at_once_and_the_others_answered(reddish: bytes) -> None:
    with running(settings=Settings(workers=1, queue=2, deadline_s=20)) as service, ThreadPoolExecutor(2) as pool:
        runner = service.predictor.runner
        runner.go_on = threading.Event()
        accepted = [pool.submit(asked, service, reddish) for _ in range(2)]
        waited(lambda: service.parts.admission.full)
        for _ in range(5):
            refused = asked(service, reddish)
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) >= 1
            assert "send it again" in refused.json()["error"]
            assert refused.elapsed.total_seconds() < 1
        assert httpx.get(f"{service.address}/health").status_code == 200
        runner.go_on.set()
        assert [one.result(20).status_code for one in accepted] == [200, 200]
        waited(lambda: service.parts.admission.taken == 0)
        assert asked(service, reddish).status_code == 200


def test_a_request_takes_a_place_for_each_image(reddish: bytes) -> None:
    with running(settings=Settings(workers=1, queue=3, deadline_s=20)) as service, ThreadPoolExecutor(1) as pool:
        runner = service.predictor.runner
        runner.go_on = threading.Event()
        accepted = pool.submit(asked, service, reddish)
        waited(lambda: service.parts.admission.taken == 1)
        files = [("image", ("a.png", reddish))] * 3
        assert httpx.post(f"{service.address}/v1/predict", files=files).status_code == 503
        assert httpx.post(f"{service.address}/v1/predict", files=[*files, files[0]]).status_code == 413  # never fits
        runner.go_on.set()
        assert accepted.result(20).status_code == 200


def test_what_is_not_answered_within_the_deadline_is_given_up(reddish: bytes) -> None:
    with running(settings=Settings(workers=1, deadline_s=0.3)) as service:
        assert asked(service, reddish).status_code == 200
        service.predictor.runner.go_on = threading.Event()
        late = asked(service, reddish)
        assert late.status_code == 503
        assert "no answer within 0.3 s" in late.json()["error"]
        assert "retry-after" in late.headers
        service.predictor.runner.go_on.set()
        waited(lambda: service.parts.admission.taken == 0)
        assert asked(service, reddish).status_code == 200


def test_who_goes_away_leaves_no_place_taken(reddish: bytes) -> None:
    with running(settings=Settings(workers=1, queue=4, deadline_s=60)) as service:
        runner = service.predictor.runner
        runner.go_on = threading.Event()
        head = (
            f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {len(reddish)}"
        )
        for _ in range(4):
            with socket.create_connection(("127.0.0.1", service.port)) as connection:
                connection.sendall(f"{head}\r\n\r\n".encode() + reddish)
                waited(lambda: service.parts.admission.taken == 1)
            waited(lambda: service.parts.admission.taken == 0)
        runner.go_on.set()
        assert asked(service, reddish).status_code == 200


def test_an_explanation_comes_along_where_asked_for(reddish: bytes) -> None:
    overlays = FakeOverlays()
    with running(overlays=overlays) as service:
        assert httpx.get(f"{service.address}/v1/model").json()["can_explain"] is True
        (plain,) = asked(service, reddish).json()["answers"]
        assert "explanation" not in plain
        (explained,) = asked(service, reddish, "?explain=true&top=1").json()["answers"]
        assert explained["explanation"] == {"overlay": "data:image/png;base64,AAAA", "method": "cam"}
        assert overlays.asked == [((24, 32, 3), (240, 320, 3), "red")]


def test_a_classifier_that_cannot_explain_answers_without(reddish: bytes) -> None:
    with running() as service:
        (answer,) = asked(service, reddish, "?explain=true").json()["answers"]
        assert answer["label"] == "red"
        assert "explanation" not in answer


def test_a_real_bundle_answers_as_predict_does_and_explains(shades: Path) -> None:
    predictor = Predictor(shades)
    photo = image((230, 230, 230), size=(80, 40))
    with running(predictor) as service:
        (answer,) = asked(service, photo, "?explain=true").json()["answers"]
    expected: dict[str, Any] = predictor.predict_one(photo, path="a.png").as_json()
    explanation = answer.pop("explanation")
    assert answer == expected
    assert explanation["method"] in ("cam", "occlusion")
    assert explanation["overlay"].startswith("data:image/png;base64,")


def test_the_overlay_is_a_image_of_the_whole_photo(shades: Path) -> None:
    import base64

    photo = image((230, 230, 230), size=(80, 40))
    with running(Predictor(shades)) as service:
        (answer,) = asked(service, photo, "?explain=true").json()["answers"]
    drawn = decode(base64.b64decode(answer["explanation"]["overlay"].partition(",")[2]))
    assert drawn.shape == (40, 80, 3)
    assert np.ptp(drawn) > 0


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_images_of_every_mode_are_explained(shades: Path, tmp_path: Path, mode: str) -> None:
    Image.new(mode, (30, 20)).save(tmp_path / "a.png")
    with running(Predictor(shades)) as service:
        answer = asked(service, (tmp_path / "a.png").read_bytes(), "?explain=true")
    assert answer.json()["answers"][0]["explanation"]["overlay"]


class Lossy:
    """Work that is lost the first time."""

    explains = False

    def __init__(self) -> None:
        self.closed = False
        self._lost = 0

    async def __call__(self, upload: Upload, *, top: int, explain: bool) -> Done:
        """Answer, from the second image on."""
        assert (top, explain) == (1, False)
        self._lost += 1
        if self._lost == 1:
            raise LostError("whoever was at work is no more")
        return Done(
            {"path": upload.name, "label": "red", "unknown": False, "probability": 1.0, "top": []}, {"infer": 0.1}
        )

    def close(self) -> None:
        """Note it."""
        self.closed = True


def test_work_that_is_lost_may_be_sent_again(reddish: bytes) -> None:
    work = Lossy()
    service = Service(FakePredictor().bundle, FEW, work)
    with attended(server_of(service)) as one, httpx.Client(base_url=one.address) as client:
        answers = [client.post("/v1/predict?top=1", files={"image": ("a.png", reddish)}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [503, 200]
        assert answers[0].json() == {"error": "whoever was at work is no more: send it again in 1 s or later"}
        assert answers[0].headers["Retry-After"] == "1"
        assert answers[1].json()["answers"][0]["label"] == "red"
        text = client.get("/metrics").text
        assert 'tellapart_rejects_total{reason="lost"} 1.0' in text
        assert 'tellapart_stage_seconds_sum{stage="infer"} 0.1' in text
        assert not client.get("/v1/model").json()["can_explain"]
    assert work.closed
