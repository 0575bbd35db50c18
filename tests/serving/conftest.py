"""A service over a tiny classifier that needs no training: it predicts the strongest colour."""

import io
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page

from tellapart.data.preprocessing import Preprocessing
from tellapart.serving.interfaces import PredictorLike
from tellapart.serving.overlays import OverlayRenderer
from tellapart.serving.server import Server, local_server
from tellapart.serving.service import Service
from tellapart.serving.settings import Settings

from .page_fixtures import FakeService, serve_fake
from .page_steps import open_page

COLOURS = ("red", "<b>green</b>", "blue")  # a class name is text, whatever it looks like
METRICS = {"test": {"n": 372, "accuracy": {"value": 0.812, "low": 0.769, "high": 0.848}}}


ONE_WORKER = Settings(workers=1)
REJECT_BELOW = 0.35  # no colour stands out then


@dataclass(frozen=True)
class FakePrediction:
    """Shares of the colours, largest first."""

    path: str
    shares: tuple[tuple[str, float], ...]

    def as_json(self, *, logits: bool = False) -> dict[str, Any]:
        """Give the shape of `predict --json`."""
        logit = [{"logit": 0.5} if logits else {}] * len(self.shares)
        shares = zip(self.shares, logit, strict=True)
        top = [{"label": label, "probability": share, **more} for (label, share), more in shares]
        return {
            "path": self.path,
            "label": top[0]["label"],
            "probability": top[0]["probability"],
            "unknown": self.shares[0][1] < REJECT_BELOW,
            "top": top,
        }


@dataclass
class FakeRunner:
    """Each channel's share of the mean colour; it can fail, or wait for `resume`."""

    batch: int = 1
    broken: bool = False
    sizes: list[int] = field(default_factory=list)  # of the batches
    started: threading.Event = field(default_factory=threading.Event)
    resume: threading.Event | None = None

    def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
        """For each batch, uint8 (n, height, width, 3), yield float32 (n, 3)."""
        for batch in batches:
            self.sizes.append(len(batch))
            self.started.set()
            assert self.resume is None or self.resume.wait(20)
            if self.broken:
                raise RuntimeError("the engine broke")
            means = batch.astype(np.float64).mean(axis=(1, 2)) + 1e-6
            yield (means / means.sum(axis=1, keepdims=True)).astype(np.float32)


@dataclass
class FakePredictor:
    """Predicts the colours; images are decoded as for a real predictor."""

    bundle: Any = field(
        default_factory=lambda: SimpleNamespace(
            id="0123456789ab",
            name="colours",
            classes=COLOURS,
            preprocessing=Preprocessing(24, 32, 3),
            metrics=METRICS,
            hashes={"model.xml": "0" * 64},
        )
    )
    runner: FakeRunner = field(default_factory=FakeRunner)

    def concurrent_runner(self) -> FakeRunner:
        """The one runner."""
        return self.runner

    def to_prediction(self, path: str, vector: NDArray[np.float32], top: int) -> FakePrediction:
        """Rank the shares."""
        ranked = sorted(zip(COLOURS, vector.tolist(), strict=True), key=lambda share: -share[1])
        return FakePrediction(path, tuple(ranked[:top]))


class FakeOverlays(OverlayRenderer):
    """Returns a fixed overlay, and records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[int, ...], tuple[int, ...], str]] = []

    async def __call__(self, image: NDArray[Any], photo: NDArray[Any], label: str) -> dict[str, str]:
        """Return an overlay."""
        self.calls.append((image.shape, photo.shape, label))
        return {"overlay": "data:image/png;base64,AAAA", "method": "cam"}

    def close(self) -> None:
        """Do nothing."""


def wait_until(condition: Callable[[], object], *, limit_s: float = 10) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"still false after {limit_s} s"
        time.sleep(0.01)


@contextmanager
def running(
    predictor: PredictorLike | None = None, settings: Settings = ONE_WORKER, overlays: OverlayRenderer | None = None
) -> Iterator[SimpleNamespace]:
    """Run the service of a predictor, and yield that too; see `run_server`."""
    predictor = predictor or cast(PredictorLike, FakePredictor())
    with run_server(local_server(predictor, settings, overlays=overlays)) as service:
        service.predictor = predictor
        yield service


@contextmanager
def run_server(httpd: Server) -> Iterator[SimpleNamespace]:
    """Run a server in a thread on a free port; yield its address, port, service and a way to stop it."""
    httpd.config.port = 0
    thread = threading.Thread(target=httpd.run)

    def stop() -> None:
        httpd.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()

    thread.start()
    try:
        wait_until(lambda: httpd.started)
        port = httpd.servers[0].sockets[0].getsockname()[1]
        yield SimpleNamespace(
            address=f"http://127.0.0.1:{port}", port=port, stop=stop, inner=service_of(httpd), server=httpd
        )
    finally:
        stop()


def service_of(httpd: Server) -> Service:
    """The service of a running server."""
    service: Service = cast(FastAPI, httpd.config.app).state.service
    return service


@pytest.fixture(scope="module")
def service() -> Iterator[SimpleNamespace]:
    """A server that the tests of a file share; tests that change or stop it run another."""
    with running() as service:
        yield service


@pytest.fixture
def client(service: SimpleNamespace) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.address) as client:
        yield client


class RecordingHandler(logging.Handler):
    """Records what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record."""
        self.records.append(record)


@pytest.fixture
def log_records() -> Iterator[list[logging.LogRecord]]:
    """Collect what a running service logs."""
    handler, logs = (
        RecordingHandler(),
        [logging.getLogger(name) for name in ("uvicorn.error", "python_multipart", "asyncio")],
    )
    for log in logs:
        log.addHandler(handler)
    yield handler.records
    for log in logs:
        log.removeHandler(handler)


def image(colour: str | tuple[int, int, int], *, size: tuple[int, int] = (320, 240)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="session")
def reddish() -> bytes:
    return image((200, 60, 40))


@pytest.fixture(scope="session")
def greenish() -> bytes:
    return image((30, 150, 60))


@pytest.fixture
def fake_service() -> Iterator[FakeService]:
    with serve_fake(FakeService()) as fake_service:
        yield fake_service


@pytest.fixture
def page(fake_service: FakeService, browser: Browser) -> Iterator[Page]:
    with open_page(browser, fake_service.address) as page:
        yield page
