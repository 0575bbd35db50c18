"""The API over real HTTP: its responses, its errors and their messages."""

import asyncio
import base64
import http.client
import logging
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from tellapart.serving.app import build_app
from tellapart.serving.interfaces import PredictorLike
from tellapart.serving.schemas import Answers, Model, OneAnswer
from tellapart.serving.settings import Settings
from tellapart.serving.upload import MAX_IMAGES, MAX_PARTS

from .conftest import FakePredictor, running

BOUNDARY = "xyz"
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(content: bytes, *, name: str = "image", file: str = "a.png") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n'
    return head.encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def error_message(response: httpx.Response, status: int) -> str:
    """Return the message of an error response, after checking its shape."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    return str(body["error"])


def test_a_prediction_equals_that_of_predict_json(client: httpx.Client, reddish: bytes) -> None:
    answer = client.post("/predict", files={"image": ("cat.png", reddish)})
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["path", "label", "probability", "unknown", "top", "bundle"]
    assert (body["path"], body["label"]) == ("cat.png", "red")
    assert body["top"][0] == {"label": "red", "probability": pytest.approx(200 / 300, abs=1e-6)}
    assert sum(share["probability"] for share in body["top"]) == pytest.approx(1)
    OneAnswer.model_validate(body, strict=True)  # the response matches its OpenAPI schema


@pytest.mark.parametrize(("top", "expected"), [("1", 1), ("2", 2), ("3", 3), ("99", 3)])
def test_top_is_clipped_to_the_classes(client: httpx.Client, reddish: bytes, top: str, expected: int) -> None:
    answer = client.post("/predict", params={"top": top}, files={"image": ("a.png", reddish)})
    assert len(answer.json()["top"]) == expected


@pytest.mark.parametrize("name", ["../../etc/x.png", "<i>x</i>.png", "Übung ☃.png", "x" * 500])
def test_a_file_name_is_returned_unchanged(client: httpx.Client, reddish: bytes, name: str) -> None:
    assert client.post("/predict", files={"image": (name, reddish)}).json()["path"] == name


def test_a_file_name_that_is_not_utf8_is_still_json(client: httpx.Client, reddish: bytes) -> None:
    body = form(part(reddish, file="NAME").replace(b"NAME", b"\xff\xed\xa0\x80.png"))
    answer = client.post("/predict", content=body, headers=FORM)
    assert answer.status_code == 200
    assert answer.json()["path"].endswith(".png")


def test_other_parts_of_a_form_do_not_matter(client: httpx.Client, reddish: bytes) -> None:
    answer = client.post("/predict", data={"note": "mine"}, files={"image": ("a.png", reddish)})
    assert answer.json()["label"] == "red"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (form(), "has no files"),
        (form(part(b"x", name="photo")), "has no files in the field 'image', expected at least one"),
        (form(part(b"x"), part(b"x")), "has 2 files"),
        (form(part(b"")), "is empty"),
        (part(b"x"), "was cut off before its last boundary"),
        (b"no form at all", "cannot be parsed"),
        (form(b"--xyz\r\n\r\nx\r\n"), "cannot be parsed"),
        (form(*[part(b"x", name="other")] * (MAX_PARTS + 1)), f"more than {MAX_PARTS} parts"),
        (
            form(part(b"x").replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n")),
            "cannot be",
        ),
    ],
)
def test_a_form_without_exactly_one_image_is_refused(
    client: httpx.Client, log_records: list[logging.LogRecord], body: bytes, message: str
) -> None:
    error = error_message(client.post("/predict", content=body, headers=FORM), 400)
    assert message in error
    assert "send multipart/form-data" in error
    assert not log_records  # callers cannot fill the log


def test_a_form_with_an_endless_boundary_is_refused(client: httpx.Client) -> None:
    kind = f"multipart/form-data; boundary={'x' * 8000}"
    assert "cannot be parsed" in error_message(client.post("/predict", headers={"content-type": kind}), 400)


@pytest.mark.parametrize("kind", ["", "text/html", "application/x-www-form-urlencoded"])
def test_a_body_of_another_kind_is_refused(client: httpx.Client, reddish: bytes, kind: str) -> None:
    answer = client.post("/v1/predict", content=reddish, headers={"content-type": kind})
    assert error_message(answer, 415).startswith(f"the content type is {kind!r}, expected a form, JSON or an image")


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_without_a_boundary_is_refused(client: httpx.Client, reddish: bytes, kind: str) -> None:
    answer = client.post("/v1/predict", content=reddish, headers={"content-type": kind})
    assert "has no boundary" in error_message(answer, 400)


@pytest.mark.parametrize("kind", ["image/png", "image/x-anything", "application/octet-stream"])
def test_the_body_may_be_an_image(client: httpx.Client, reddish: bytes, kind: str) -> None:
    (answer,) = client.post("/v1/predict", content=reddish, headers={"content-type": kind}).json()["answers"]
    assert (answer["path"], answer["label"]) == ("image", "red")
    assert "is empty" in error_message(client.post("/v1/predict", content=b"", headers={"content-type": kind}), 400)


def test_several_images_are_answered_in_order(client: httpx.Client, reddish: bytes, greenish: bytes) -> None:
    files = [("image", (f"{number}.png", reddish if number % 2 else greenish)) for number in range(9)]
    answers = client.post("/v1/predict", files=files).json()["answers"]
    assert [answer["path"] for answer in answers] == [f"{number}.png" for number in range(9)]
    assert [answer["label"] for answer in answers] == ["<b>green</b>", "red"] * 4 + ["<b>green</b>"]


def test_an_unreadable_image_does_not_affect_the_others(client: httpx.Client, reddish: bytes) -> None:
    files = [("image", ("a.png", b"no")), ("image", ("b.png", reddish))]
    answer = client.post("/v1/predict", files=files)
    assert answer.status_code == 200
    first, second = answer.json()["answers"]
    assert list(first) == ["path", "error"]
    assert "not an image" in first["error"]
    assert second["label"] == "red"
    Answers.model_validate(answer.json(), strict=True)
    assert "not an image" in error_message(client.post("/v1/predict", files=[files[0], files[0]]), 415)


def test_more_images_than_the_limit_are_refused(client: httpx.Client) -> None:
    files = [("image", ("a.png", b"x"))] * (MAX_IMAGES + 1)
    assert f"more than the limit of {MAX_IMAGES} images" in error_message(client.post("/v1/predict", files=files), 413)


def test_a_body_that_is_not_an_image_is_refused(client: httpx.Client, reddish: bytes) -> None:
    for content in (b"hello", b"\x00", b"<svg xmlns='http://www.w3.org/2000/svg'/>", reddish[:200]):
        error = error_message(client.post("/predict", files={"image": ("a.jpg", content)}), 415)
        assert "send another image" in error


def test_a_body_at_the_limit_is_accepted_and_one_byte_more_is_refused(client: httpx.Client) -> None:
    filling = Settings.max_body_bytes - len(form(part(b"")))
    largest = client.post("/predict", content=form(part(b"x" * filling)), headers=FORM)
    assert error_message(largest, 415)
    larger = client.post("/predict", content=form(part(b"x" * (filling + 1))), headers=FORM)
    assert "larger than the limit of 10 MB" in error_message(larger, 413)


def test_a_body_without_a_declared_length_is_counted(client: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield part(b"")[:-2]
        yield from [b"x" * 1_000_000] * 12

    answer = client.post("/predict", content=chunks(), headers=FORM)
    assert "larger than the limit of 10 MB" in error_message(answer, 413)


@pytest.mark.parametrize("declared", [None, "1000"])
def test_an_endless_body_is_read_no_further_than_the_limit(declared: str | None) -> None:
    chunks_read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal chunks_read
        yield part(b"")[:-2]
        while True:
            chunks_read += 1
            yield b"x" * 1_000_000

    status = asyncio.run(_status_of(endless(), declared))
    assert status == 413
    assert chunks_read == 10


async def _status_of(chunks: AsyncIterator[bytes], declared: str | None) -> int:
    """Return the application's status for a body whose declared length may be false."""
    headers = [(key.encode(), value.encode()) for key, value in {"host": "localhost", **FORM}.items()]
    headers += [(b"content-length", declared.encode())] if declared else []
    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": headers}
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": await anext(chunks), "more_body": True}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    app = build_app(cast(PredictorLike, FakePredictor()))
    await app(scope, receive, send)
    app.state.service.close()
    return int(sent[0]["status"])


def test_a_declared_length_above_the_limit_is_refused_before_the_body(service: SimpleNamespace) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Type", FORM["content-type"])
    connection.putheader("Content-Length", "20000000000")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_no_upload_reaches_the_disk(client: httpx.Client, reddish: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")  # a temporary file would fail
    padded = reddish + b"\x00" * 5_000_000
    assert client.post("/predict", files={"image": ("a.png", padded)}).status_code == 200


def test_an_interrupted_upload_leaves_no_trace(reddish: bytes, log_records: list[logging.LogRecord]) -> None:
    with running() as service:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", service.port)) as connection:
                head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['content-type']}\r\n"
                connection.sendall(f"{head}Content-Length: 5000\r\n\r\n".encode() + part(reddish)[:100])
        answer = httpx.post(f"{service.address}/predict", files={"image": ("a.png", reddish)})
        assert answer.json()["label"] == "red"
        service.stop()
        assert not log_records


def test_unknown_paths_methods_and_parameters_are_refused_in_json(client: httpx.Client, reddish: bytes) -> None:
    for path in ("/nothing", "/docs", "/redoc", "/predict/", "/page/", "/page/%00", "/page/..%2fapp.py"):
        assert "there is nothing at" in error_message(client.get(path), 404)
    wrong_method = client.get("/predict")
    assert "accepts POST, not GET" in error_message(wrong_method, 405)
    assert wrong_method.headers["allow"] == "POST"
    wrong_top = client.post("/predict?top=many", files={"image": ("a.png", reddish)})
    assert "the parameter top is 'many'" in error_message(wrong_top, 422)


def test_a_failure_of_the_service_is_logged_and_answered_in_json(
    reddish: bytes, log_records: list[logging.LogRecord]
) -> None:
    with running() as service:
        service.predictor.runner.broken = True
        answer = httpx.post(f"{service.address}/predict", files={"image": ("a.png", reddish)})
        service.stop()  # the log is complete then
    error = error_message(answer, 500)
    assert "the engine broke" not in error
    assert "the engine broke" in str(log_records[0].exc_info)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_health_and_readiness(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}


def test_the_model_is_described(client: httpx.Client) -> None:
    model = client.get("/v1/model").json()
    Model.model_validate(model)
    assert model["classes"] == ["red", "<b>green</b>", "blue"]
    assert model["preprocessing"] == {"height": 24, "width": 32, "channels": 3, "fit": "crop"}
    assert model["metrics"]["test"]["n"] == 372
    assert (model["name"], model["bundle"]) == ("colours", "0123456789ab")
    assert (model["max_body_bytes"], model["max_pixels"]) == (10_000_000, 50_000_000)
    assert (model["reject"], model["can_explain"], model["needs_token"]) == (None, False, False)
    assert model["hashes"] == {"model.xml": "0" * 64}


def test_every_response_has_the_security_headers(client: httpx.Client) -> None:
    for path in ("/", "/page/page.js", "/page/page.css", "/page/icon.svg", "/health", "/nothing", "/predict"):
        headers = client.get(path, headers={"origin": "https://elsewhere.example"}).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; img-src 'self' blob: data:;")
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_openapi_describes_the_upload_and_the_errors(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    body = paths["/v1/predict"]["post"]["requestBody"]["content"]
    assert body["multipart/form-data"]["schema"]["required"] == ["image"]
    assert {"application/octet-stream", "image/jpeg"} <= set(body)
    errors = {"400", "401", "408", "413", "415", "421", "422", "503"}
    assert set(paths["/v1/predict"]["post"]["responses"]) == {"200", *errors}
    assert set(paths) == {"/v1/predict", "/predict", "/v1/model", "/health", "/ready", "/metrics"}


def test_images_do_not_block_other_requests(reddish: bytes) -> None:
    with running() as service, httpx.Client(base_url=service.address) as client, ThreadPoolExecutor() as pool:
        runner = service.predictor.runner
        runner.resume = threading.Event()
        response = pool.submit(client.post, "/predict", files={"image": ("a.png", reddish)})
        assert runner.started.wait(10)
        assert client.get("/health", timeout=5).status_code == 200
        runner.resume.set()
        assert response.result(10).json()["label"] == "red"


def test_concurrent_callers_each_get_their_own_prediction(
    client: httpx.Client, reddish: bytes, greenish: bytes
) -> None:
    def predict(number: int) -> tuple[str, str]:
        content = reddish if number % 2 else greenish
        body = client.post("/predict", files={"image": (f"{number}.png", content)}).json()
        return body["path"], body["label"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(predict, range(40)))
    assert answers == [(f"{number}.png", "red" if number % 2 else "<b>green</b>") for number in range(40)]


@pytest.mark.parametrize("top", ["0", "-1"])
def test_fewer_than_one_class_is_refused(client: httpx.Client, reddish: bytes, top: str) -> None:
    answer = client.post(f"/v1/predict?top={top}", files={"image": ("a.png", reddish)})
    assert "greater than or equal to 1" in error_message(answer, 422)


def test_monitors_may_ask_with_head(client: httpx.Client) -> None:
    for path in ("/health", "/ready"):
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


def test_a_form_that_was_cut_off_is_refused(client: httpx.Client, reddish: bytes) -> None:
    whole = part(reddish)
    for body in (whole, whole + whole[:100], whole + b"--xyz"):
        answer = client.post("/v1/predict", content=body, headers={"content-type": "multipart/form-data; boundary=xyz"})
        assert "cut off" in error_message(answer, 400)


def test_json_and_the_field_file_are_answered_as_the_image_is(client: httpx.Client, reddish: bytes) -> None:
    text = base64.b64encode(reddish).decode()
    expected = client.post("/predict", files={"image": ("image", reddish)}).json()
    assert client.post("/predict", files={"file": ("image", reddish)}).json() == expected
    for fields in ({"image": text}, {"file": text}, {"image": f"data:image/png;base64,{text}"}, {"image": [text]}):
        assert client.post("/predict", json=fields).json() == expected
    bundle = expected.pop("bundle")
    both = client.post("/v1/predict", json={"image": [text, text]}).json()
    assert both == {"answers": [expected] * 2, "bundle": bundle}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"image": "http://127.0.0.1/a.png"}, "is not base64"),
        ({"image": "data:image/png,abc"}, "data: URL in the JSON is not base64"),
        ({"image": 5}, "is not text"),
        ({"image": []}, "has no image"),
        ({"image": ""}, "is empty"),
        ({"url": "x"}, "has 0 of the fields"),
        ({"image": "AAAA", "file": "AAAA"}, "has 2 of the fields"),
        ([1], "has 0 of the fields"),
    ],
)
def test_json_without_an_image_is_refused(client: httpx.Client, body: object, message: str) -> None:
    assert message in error_message(client.post("/predict", json=body), 400)


def test_json_with_too_many_images_is_refused(client: httpx.Client) -> None:
    assert error_message(client.post("/v1/predict", json={"image": ["AAAA"] * 33}), 413)


def test_pages_of_allowed_origins_may_call_and_others_not(reddish: bytes) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    settings = Settings(workers=1, origins=("https://a.example",), token="t" * 20)
    with running(settings=settings) as service, httpx.Client(base_url=service.address) as client:
        for origin, allowed in (("https://a.example", "https://a.example"), ("https://b.example", None)):
            for answer in (
                client.options("/v1/predict", headers={"Origin": origin, **asks}),
                client.get("/v1/model", headers={"Origin": origin, "Authorization": "Bearer " + "t" * 20}),
                client.get("/v1/model", headers={"Origin": origin}),
            ):
                if answer.status_code == 200:
                    assert answer.headers.get("access-control-allow-origin") == allowed
        assert client.options("/v1/predict", headers={"Origin": "https://a.example", **asks}).status_code == 200


def test_no_other_origin_is_allowed_by_default(client: httpx.Client) -> None:
    assert "access-control-allow-origin" not in client.get("/health", headers={"Origin": "https://a.example"}).headers
