"""A service over a tiny classifier that needs no training: it answers with the strongest colour."""

import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from PIL import Image

from tellapart.data.picture import decode
from tellapart.data.preprocessing import Preprocessing
from tellapart.serving.answering import Answering
from tellapart.serving.server import server

COLOURS = ("red", "<b>green</b>", "blue")  # a class name is text, whatever it looks like
METRICS = {"test": {"n": 372, "accuracy": {"value": 0.812, "low": 0.769, "high": 0.848}}}


@dataclass(frozen=True)
class FakePrediction:
    """Shares of the colours, largest first."""

    path: str
    shares: tuple[tuple[str, float], ...]

    def as_json(self) -> dict[str, Any]:
        """Give the shape of `predict --json`."""
        top = [{"label": label, "probability": share} for label, share in self.shares]
        return {"path": self.path, **top[0], "top": top}


@dataclass
class FakePredictor:
    """Decodes as the real one does."""

    bundle: Any = field(
        default_factory=lambda: SimpleNamespace(
            name="colours", classes=COLOURS, preprocessing=Preprocessing(24, 32, 3), metrics=METRICS
        )
    )
    broken: bool = False

    def predict_one(self, content: bytes, *, path: str, top: int = 3) -> FakePrediction:
        """Answer with each channel's share of the mean colour."""
        if self.broken:
            raise RuntimeError("the engine broke")
        mean = decode(content).astype(float).reshape(-1, 3).mean(axis=0) + 1e-6
        shares = zip(COLOURS, (mean / mean.sum()).tolist(), strict=True)
        ranked = sorted(shares, key=lambda share: -share[1])
        return FakePrediction(path, tuple(ranked[:top]))


def waited(condition: Callable[[], object], *, limit_s: float = 10) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not so after {limit_s} s"
        time.sleep(0.01)


@contextmanager
def running(predictor: FakePredictor) -> Iterator[SimpleNamespace]:
    """Run the service in a thread on a free port; give its address, port, predictor and a way to stop it."""
    httpd = server(cast(Answering, predictor))
    httpd.config.port = 0
    thread = threading.Thread(target=httpd.run)

    def stop() -> None:
        httpd.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()

    thread.start()
    try:
        waited(lambda: httpd.started)
        port = httpd.servers[0].sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        yield SimpleNamespace(address=address, port=port, predictor=predictor, stop=stop)
    finally:
        stop()


@pytest.fixture
def service() -> Iterator[SimpleNamespace]:
    with running(FakePredictor()) as service:
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
def complaints(service: SimpleNamespace) -> Iterator[list[logging.LogRecord]]:
    """Collect what the running service writes into its log."""
    kept, logs = Kept(), [logging.getLogger(name) for name in ("uvicorn.error", "python_multipart")]
    for log in logs:
        log.addHandler(kept)
    yield kept.records
    for log in logs:
        log.removeHandler(kept)


def picture(colour: str | tuple[int, int, int], *, size: tuple[int, int] = (320, 240)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="session")
def reddish() -> bytes:
    return picture((200, 60, 40))


@pytest.fixture(scope="session")
def greenish() -> bytes:
    return picture((30, 150, 60))
