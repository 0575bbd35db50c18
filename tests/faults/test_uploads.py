"""Files from anyone: over HTTP and with predict each has one defined end, soon, in little memory, and harms nothing."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from tellapart import Prediction, Predictor
from tellapart.bundles.predictor import Unreadable
from tellapart.data.decoding.decode import decode
from tellapart.errors import ImageError
from tellapart.training.run import Run

from .hostile import REFUSED, TAKEN, plain

PREDICT = "/predict"
SOON_S = 2.0
MEMORY = 256_000_000  # bytes more than before
GOOD = plain("PNG", 20, (180, 60, 60))
OWN_LIMIT = ("at most 200,000,000 in all", "at most 50,000,000 in all")
"""The limit on pixels of a person's own files, and the service's: all else is the same."""
Answer = dict[str, object]


@dataclass(frozen=True)
class Service:
    """`tellapart serve` in a process of its own."""

    client: httpx.Client
    process: psutil.Process
    log: Path

    def asked(self, content: bytes, name: str = "image.png") -> httpx.Response:
        """Answer one image, and within the time."""
        started = time.perf_counter()
        answer = self.client.post(PREDICT, files={"image": (name, content)})
        assert time.perf_counter() - started < SOON_S
        return answer

    def largest(self) -> int:
        """The most bytes that it held at once so far, in all its processes; of those that are gone, nothing."""
        return sum(_peak(one.pid) for one in [self.process, *self.process.children(recursive=True)])


def _peak(pid: int) -> int:
    """Linux says what a process held at most in kB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return 1024 * int(found[1]) if found else 0


@contextmanager
def serving(bundle: Path, log: Path) -> Iterator[Service]:
    words = [sys.executable, "-m", "tellapart", "serve", str(bundle), "--port", "0", "--log-format", "none"]
    with log.open("wb") as stream, subprocess.Popen(words, stdout=stream, stderr=stream) as process:
        try:
            with httpx.Client(base_url=_address(process, log), timeout=30) as client:
                yield Service(client, psutil.Process(process.pid), log)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"http://[^\s;]+", log.read_text()):
            return found[0]
        time.sleep(0.05)
    pytest.fail(f"the service did not start: {log.read_text()}")


@pytest.fixture(scope="module")
def service(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(trained.bundle.folder, tmp_path_factory.mktemp("service") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def good(service: Service) -> Answer:
    """What it says of a good image before anything else comes."""
    answer = service.asked(GOOD)
    assert answer.status_code == 200
    told: Answer = answer.json()
    return told


@pytest.fixture(scope="module")
def predictor(trained: Run) -> Predictor:
    return Predictor(trained.bundle)


def predicted(predictor: Predictor, content: bytes, folder: Path) -> Prediction | Unreadable:
    """What `tellapart predict` says of a file."""
    (folder / "image.png").write_bytes(content)
    (answer,) = predictor.predict([folder / "image.png"])
    return answer


def require_unharmed(service: Service, good: Answer) -> None:
    assert service.asked(GOOD).json() == good
    said = service.log.read_text()
    assert not re.search("traceback|error|exception", said, re.IGNORECASE)
    assert len(said) < 2000  # clients cannot fill the log


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_with_the_sentence_that_predict_gives(
    service: Service, good: Answer, predictor: Predictor, name: str, tmp_path: Path
) -> None:
    make, said = REFUSED[name]
    content = make()
    alone = predicted(predictor, content, tmp_path)
    assert isinstance(alone, Unreadable)
    assert said in alone.error
    assert alone.error.isprintable()
    answer = service.asked(content, name)
    assert answer.status_code == 415
    assert answer.json()["error"].startswith(alone.error.replace(*OWN_LIMIT))
    assert "send another image" in answer.json()["error"]
    require_unharmed(service, good)


def test_an_empty_file_is_refused(service: Service, good: Answer, predictor: Predictor, tmp_path: Path) -> None:
    alone = predicted(predictor, b"", tmp_path)
    assert isinstance(alone, Unreadable)
    assert "is empty" in alone.error
    answer = service.asked(b"", "empty.png")
    assert answer.status_code == 400
    assert "is empty" in answer.json()["error"]
    require_unharmed(service, good)


@pytest.mark.parametrize("name", TAKEN)
def test_an_odd_file_is_answered_as_predict_answers_it(
    service: Service, good: Answer, predictor: Predictor, name: str, tmp_path: Path
) -> None:
    make, (size, corner) = TAKEN[name]
    content = make()
    image = decode(content)
    assert image.shape == (*size, len(corner))
    np.testing.assert_allclose(image[0, 0], corner, atol=3)
    alone = predicted(predictor, content, tmp_path)
    assert isinstance(alone, Prediction)
    answer = service.asked(content, name)
    assert answer.status_code == 200
    assert answer.json()["label"] == alone.label
    assert answer.json()["probability"] == pytest.approx(alone.probability, abs=1e-5)
    require_unharmed(service, good)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells how much memory a process had at most")
def test_all_of_them_one_after_the_other_take_little_memory(trained: Run, tmp_path: Path) -> None:
    with serving(trained.bundle.folder, tmp_path / "log") as fresh:
        good = fresh.asked(GOOD).json()
        before = fresh.largest()
        for name, (make, _) in {**REFUSED, **TAKEN}.items():
            assert fresh.asked(make(), name).status_code in (200, 415)
            assert fresh.largest() - before < MEMORY, name
        require_unharmed(fresh, good)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM"])
def test_a_image_cut_anywhere_is_refused(kind: str) -> None:
    content = plain(kind, 200)
    last = len(content) - 16  # what comes behind the pixels of a PNG is not missed
    for length in range(0, last, max(1, last // 40)):
        with pytest.raises(ImageError):
            decode(content[:length])
