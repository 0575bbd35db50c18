"""A service over a tiny classifier that needs no training: it answers with the strongest colour."""

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
from tellapart.serving.interfaces import Answering
from tellapart.serving.overlays import Overlays
from tellapart.serving.server import Server, server
from tellapart.serving.service import Service
from tellapart.serving.settings import Settings

from .page_fixtures import StandIn, standing_in
from .page_steps import opened

COLOURS = ("red", "<b>green</b>", "blue")  # a class name is text, whatever it looks like
METRICS = {"test": {"n": 372, "accuracy": {"value": 0.812, "low": 0.769, "high": 0.848}}}


FEW = Settings(workers=1)
UNSURE = 0.35  # of the colours, none of which is then ahead


@dataclass(frozen=True)
class FakePrediction:
    """Shares of the colours, largest first."""

    path: str
    shares: tuple[tuple[str, float], ...]

    def as_json(self) -> dict[str, Any]:
        """Give the shape of `predict --json`."""
        top = [{"label": label, "probability": share} for label, share in self.shares]
        return {"path": self.path, **top[0], "unknown": self.shares[0][1] < UNSURE, "top": top}


@dataclass
class FakeRunner:
    """Each channel's share of the mean colour; it can break, or wait for `go_on`."""

    batch: int = 1
    broken: bool = False
    sizes: list[int] = field(default_factory=list)  # of the batches that it ran
    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event | None = None

    def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
        """For each batch, uint8 (n, height, width, 3), yield float32 (n, 3)."""
        for batch in batches:
            self.sizes.append(len(batch))
            self.begun.set()
            assert self.go_on is None or self.go_on.wait(20)
            if self.broken:
                raise RuntimeError("the engine broke")
            means = batch.astype(np.float64).mean(axis=(1, 2)) + 1e-6
            yield (means / means.sum(axis=1, keepdims=True)).astype(np.float32)


@dataclass
class FakePredictor:
    """Answers with the colours; images are decoded as for a real one."""

    bundle: Any = field(
        default_factory=lambda: SimpleNamespace(
            name="colours",
            classes=COLOURS,
            preprocessing=Preprocessing(24, 32, 3),
            metrics=METRICS,
            hashes={"model.xml": "0" * 64},
        )
    )
    runner: FakeRunner = field(default_factory=FakeRunner)

    def runner_for_many(self) -> FakeRunner:
        """The one runner."""
        return self.runner

    def told(self, path: str, answer: NDArray[np.float32], top: int) -> FakePrediction:
        """Rank the shares."""
        ranked = sorted(zip(COLOURS, answer.tolist(), strict=True), key=lambda share: -share[1])
        return FakePrediction(path, tuple(ranked[:top]))


class FakeOverlays(Overlays):
    """Explains with a fixed address, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[int, ...], tuple[int, ...], str]] = []

    async def __call__(self, fitted: NDArray[Any], photo: NDArray[Any], label: str) -> dict[str, str]:
        """Give an overlay at once."""
        self.asked.append((fitted.shape, photo.shape, label))
        return {"overlay": "data:image/png;base64,AAAA", "method": "cam"}

    def close(self) -> None:
        """Nothing is open."""


def waited(condition: Callable[[], object], *, limit_s: float = 10) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not so after {limit_s} s"
        time.sleep(0.01)


@contextmanager
def running(
    predictor: Answering | None = None, settings: Settings = FEW, overlays: Overlays | None = None
) -> Iterator[SimpleNamespace]:
    """Run the service of a predictor, and give that too; see `attended`."""
    predictor = predictor or cast(Answering, FakePredictor())
    with attended(server(predictor, settings, overlays=overlays)) as service:
        service.predictor = predictor
        yield service


@contextmanager
def attended(httpd: Server) -> Iterator[SimpleNamespace]:
    """Run a server in a thread on a free port; give its address, port, parts and a way to stop it."""
    httpd.config.port = 0
    thread = threading.Thread(target=httpd.run)

    def stop() -> None:
        httpd.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()

    thread.start()
    try:
        waited(lambda: httpd.started)
        port = httpd.servers[0].sockets[0].getsockname()[1]
        yield SimpleNamespace(address=f"http://127.0.0.1:{port}", port=port, stop=stop, parts=parts_of(httpd))
    finally:
        stop()


def parts_of(httpd: Server) -> Service:
    """The parts of a running service."""
    service: Service = cast(FastAPI, httpd.config.app).state.service
    return service


@pytest.fixture(scope="module")
def service() -> Iterator[SimpleNamespace]:
    """One that the tests of a file share; whoever changes or stops it runs another."""
    with running() as service:
        yield service


@pytest.fixture
def client(service: SimpleNamespace) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.address) as client:
        yield client


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.records.append(record)


@pytest.fixture
def complaints() -> Iterator[list[logging.LogRecord]]:
    """Collect what a running service writes into its log."""
    kept, logs = Kept(), [logging.getLogger(name) for name in ("uvicorn.error", "python_multipart", "asyncio")]
    for log in logs:
        log.addHandler(kept)
    yield kept.records
    for log in logs:
        log.removeHandler(kept)


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
def stand_in() -> Iterator[StandIn]:
    with standing_in(StandIn()) as stand_in:
        yield stand_in


@pytest.fixture
def page(stand_in: StandIn, browser: Browser) -> Iterator[Page]:
    with opened(browser, stand_in.address) as page:
        yield page
