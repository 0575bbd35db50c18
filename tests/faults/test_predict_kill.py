"""Killed at any moment, a file of answers is absent or whole; the same command ends as if nothing had happened."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tellapart.training.run import Run

from .nursery import Training, nursery, some_now

TIMES = 65  # that the 36 images are named: 2,340 answers, in three parts
WRITES = range(1, 19)  # list, settings and parts: each is made durable, renamed, its folder made durable; then the file

Begin = Callable[..., Training]


@pytest.fixture(scope="module")
def begin(trained: Run, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begin]:
    """Begin to predict, as the command line does."""
    with nursery(tmp_path_factory.mktemp("nursery"), "tellapart.cli.predict", "pyarrow.parquet") as run:

        def start(out: Path, *, killed_at: int = 0) -> Training:
            words = ["predict", str(trained.bundle.folder), *[str(tiny)] * TIMES, "--out", str(out)]
            return run(words, killed_at=killed_at, where="anywhere" if killed_at else "")

        yield start


@pytest.fixture(scope="module", params=["csv", "parquet"])
def whole(request: pytest.FixtureRequest, begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / f"answers.{request.param}"
    answering = begin(out)
    assert answering.status() == 0, answering.log.read_text()
    return out


def require_absent_or_whole(out: Path, whole: Path) -> None:
    assert not out.exists() or out.read_bytes() == whole.read_bytes()


def require_ended(begin: Begin, out: Path, whole: Path) -> None:
    finished = out.exists() and not out.with_name(f"{out.name}.parts").exists()
    answering = begin(out)
    assert answering.status() == (2 if finished else 0), answering.log.read_text()
    assert out.read_bytes() == whole.read_bytes()
    assert [path.name for path in out.parent.iterdir()] == [out.name]


@pytest.mark.parametrize("moment", some_now((5, 14, 18), WRITES))
def test_killed_at_any_write_it_goes_on(begin: Begin, whole: Path, tmp_path: Path, moment: int) -> None:
    out = tmp_path / "out" / whole.name
    assert begin(out, killed_at=moment).status() == -signal.SIGKILL
    require_absent_or_whole(out, whole)
    assert out.exists() == (moment == WRITES[-1])
    require_ended(begin, out, whole)


def test_there_are_no_more_writes_than_are_tried(begin: Begin, whole: Path, tmp_path: Path) -> None:
    assert begin(tmp_path / whole.name, killed_at=WRITES.stop).status() == 0


def test_killed_again_and_again_it_ends_the_same(begin: Begin, whole: Path, tmp_path: Path) -> None:
    rng, out, killed = random.Random(5), tmp_path / "out" / whole.name, 0  # noqa: S311  chance, not secrecy
    for _ in range(4):
        answering = begin(out)
        time.sleep(rng.uniform(0, 0.6))
        answering.send(signal.SIGKILL)
        killed += answering.status() == -signal.SIGKILL
        require_absent_or_whole(out, whole)
    assert killed >= 1
    require_ended(begin, out, whole)


def test_ctrl_c_ends_with_one_sentence(begin: Begin, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / whole.name
    answering = begin(out)
    while not answering.ended() and not (parts := out.with_name(f"{out.name}.parts") / "settings.json").exists():
        pass
    answering.send(signal.SIGINT)
    assert answering.status() == 130
    said = answering.log.read_text()
    assert said.strip().splitlines()[-1].startswith(f"stopped. Finished predictions are kept in {parts.parent}")
    assert "Traceback" not in said
    require_ended(begin, out, whole)
