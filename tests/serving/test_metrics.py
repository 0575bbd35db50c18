"""Metrics count what happened."""

from collections.abc import Callable

import httpx

from tellapart.serving.metrics import UNMATCHED_ROUTE

from .conftest import image, running


def test_requests_answers_and_stages_are_counted(reddish: bytes) -> None:
    grey = image((90, 90, 90))
    with running() as service, httpx.Client(base_url=service.address) as client:
        client.post("/v1/predict", files=[("image", ("a", reddish)), ("image", ("b", reddish)), ("image", ("c", grey))])
        client.post("/v1/predict", files={"image": ("a", b"no image")})
        for path in ("/nothing", "/x?y", "/page/none.js"):
            client.get(path)
        answer = client.get("/metrics")
        value: Callable[..., float | None] = service.inner.metrics.registry.get_sample_value
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'tellapart_requests_total{route="/v1/predict",status="200"} 1.0' in answer.text
    assert value("tellapart_requests_total", {"route": "/v1/predict", "status": "415"}) == 1
    assert value("tellapart_requests_total", {"route": UNMATCHED_ROUTE, "status": "404"}) == 3
    assert (
        value("tellapart_predictions_total", {"label": "red"}) == 3
    )  # the grey one too: the first of equal probabilities
    assert value("tellapart_unknown_total") == 1
    assert abs((value("tellapart_unknown_share") or 0) - 1 / 3) < 1e-9
    assert value("tellapart_queue_pictures") == 0
    for stage, count in (("body", 2), ("queue", 3), ("decode", 3), ("infer", 3)):
        assert value("tellapart_stage_seconds_count", {"stage": stage}) == count
        assert (value("tellapart_stage_seconds_sum", {"stage": stage}) or -1) >= 0


def test_two_services_count_separately(reddish: bytes) -> None:
    with running() as first, running() as second:
        httpx.post(f"{first.address}/predict", files={"image": ("a", reddish)})
        label = {"label": "red"}
        assert first.inner.metrics.registry.get_sample_value("tellapart_predictions_total", label) == 1
        assert second.inner.metrics.registry.get_sample_value("tellapart_predictions_total", label) is None
