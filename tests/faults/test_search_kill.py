"""Killed at any moment, a search resumes, and ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tellapart import Bundle
from tellapart.studies.search.journal import Journal

from .nursery import Training, nursery, some_now

SETTINGS = ("--model", "mlp", "--max-epochs", "4", "--factor", "2", "--batch-size", "32", "--precision", "float32")
SPACE = ("--space", "units=4,8", "--space", "learning_rate=1e-3:1e-1:log")
WORDS = [*SETTINGS, *SPACE]
TRIALS = 10  # of 28 epochs in all

Begin = Callable[..., Training]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images in three shades."""
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 3
    shade = rng.integers(0, 160, (240, 8, 8)) + 40 * labels[:, None, None]
    file = tmp_path_factory.mktemp("data") / "shades.npz"
    np.savez(file, x=shade.astype(np.uint8), y=labels)
    return file


@pytest.fixture(scope="module")
def begin(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begin]:
    """Begin a search, as the command line does."""
    modules = (
        "optuna",
        "tellapart.studies.search.journal",
        "tellapart.studies.search.search",
        "tellapart.studies.search.trainer",
    )
    with nursery(tmp_path_factory.mktemp("nursery"), *modules) as run:

        def start(out: Path, *, killed_at: int = 0) -> Training:
            words = ["search", str(images), *WORDS, "--out", str(out)]
            return run(words, killed_at=killed_at, where="all" if killed_at else "")

        yield start


@pytest.fixture(scope="module")
def whole(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / "search"
    training = begin(out)
    assert training.status() == 0, training.log.read_text()
    return out


def table(search: Path) -> list[str]:
    """Every epoch of every trial, without how long it took."""
    return [line.rsplit(",", 1)[0] for line in (search / "trials.csv").read_text().splitlines()]


def lines(search: Path) -> int:
    """How many lines its journal has."""
    journal = search / "journal.log"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def require_as_undisturbed(search: Path, whole: Path) -> None:
    assert (search / "best.toml").read_bytes() == (whole / "best.toml").read_bytes()
    assert table(search) == table(whole)
    finished = [Journal(one / "journal.log", "val_loss").finished for one in (search, whole)]
    assert finished == [set(range(TRIALS))] * 2
    bundles = [one / "final" / "bundle" / "model.bin" for one in (search, whole)]
    assert bundles[0].read_bytes() == bundles[1].read_bytes()
    assert not list(search.rglob(".partial-*"))
    trials = [sorted(path.name for path in (one / "trials").glob("*/*")) for one in (search, whole)]
    assert trials[0] == trials[1]


def require_whole_or_absent(search: Path) -> None:
    if (search / "final" / "bundle").exists():
        Bundle.open(search / "final" / "bundle").verify()
    for checkpoint in search.glob("trials/*/epoch-*"):
        with np.load(checkpoint / "state.npz") as archive:
            assert archive.files


def require_ended(begin: Begin, search: Path, whole: Path) -> None:
    training = begin(search)
    assert training.status() == 0, training.log.read_text()
    require_as_undisturbed(search, whole)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
def test_killed_again_and_again_it_ends_with_the_same_best_and_as_many_trials(
    begin: Begin, whole: Path, tmp_path: Path, kills: int
) -> None:
    """Each kill waits until the journal has grown to a share of its final length, and then for a random moment."""
    rng, search, all_lines = random.Random(kills), tmp_path / "search", lines(whole)  # noqa: S311  chance, not secrecy
    killed, kept = 0, 0
    for number in range(kills):
        training = begin(search)
        while not training.ended() and lines(search) < number * all_lines // kills:
            pass
        time.sleep(rng.uniform(0, 0.2))
        training.send(signal.SIGKILL)
        killed += training.status() == -signal.SIGKILL
        require_whole_or_absent(search)
        assert lines(search) >= kept - 1  # what was half-written may have been cut off
        kept = lines(search)
    assert killed == kills
    require_ended(begin, search, whole)


@pytest.mark.parametrize("moment", some_now((1, 9, 40), range(1, 200, 3)))
def test_killed_at_any_write_it_goes_on(begin: Begin, whole: Path, tmp_path: Path, moment: int) -> None:
    search = tmp_path / "search"
    assert begin(search, killed_at=moment).status() == -signal.SIGKILL
    require_whole_or_absent(search)
    require_ended(begin, search, whole)


def test_ctrl_c_ends_with_one_sentence_and_the_same_command_goes_on(begin: Begin, whole: Path, tmp_path: Path) -> None:
    search = tmp_path / "search"
    training = begin(search)
    while not training.ended() and lines(search) < lines(whole) // 2:
        pass
    training.send(signal.SIGINT)
    assert training.status() == 130
    said = training.log.read_text()
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1] == "stopped. Finished work is kept: the same command resumes"
    require_ended(begin, search, whole)


@pytest.mark.long
def test_killed_with_its_workers_it_goes_on_alone(begin: Begin, images: Path, whole: Path, tmp_path: Path) -> None:
    search = tmp_path / "search"
    command = [
        sys.executable,
        "-m",
        "tellapart",
        "search",
        str(images),
        *WORDS,
        "--out",
        str(search),
        "--workers",
        "2",
    ]
    settings = {**os.environ, "TELLAPART_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=settings) as process:
        while process.poll() is None and lines(search) < lines(whole) // 2:
            time.sleep(0.002)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    require_ended(begin, search, whole)
