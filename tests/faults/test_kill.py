"""Killed at any moment, a run leaves the old state or the new; resumed, it ends as if nothing had happened."""

import csv
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

from .nursery import Training, nursery, some_now

WORDS = (
    "--model",
    "cnn",
    "--size",
    "16",
    "--epochs",
    "6",
    "--batch-size",
    "2",
    "--dropout",
    "0.3",
    "--patience",
    "50",
    "--no-report",
)


Begin = Callable[..., Training]


@pytest.fixture(scope="module")
def begin(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begin]:
    """Begin a training, as the command line does."""
    with nursery(tmp_path_factory.mktemp("nursery"), "tellapart.cli.train", "tellapart.training.network_run") as run:

        def start(out: Path, *, resume: bool = False, killed_at: int = 0, where: str = "") -> Training:
            words = ["train", str(images), *WORDS, "--out", str(out), *(["--resume"] if resume else [])]
            return run(words, killed_at=killed_at, where=where)

        yield start


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough small images for an epoch to take several calls of the compiled steps."""
    rng = np.random.default_rng(0)
    labels = np.arange(520) % 3
    shade = rng.integers(0, 160, (520, 16, 16)) + 40 * labels[:, None, None]
    file = tmp_path_factory.mktemp("data") / "shades.npz"
    np.savez(file, x=shade.astype(np.uint8), y=labels)
    return file


@pytest.fixture(scope="module")
def whole(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert begin(out).status() == 0
    return out


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as stream:
        return [{**row, "seconds": ""} for row in csv.DictReader(stream)]


def require_as_undisturbed(run: Path, whole: Path) -> None:
    assert (run / "bundle" / "model.bin").read_bytes() == (whole / "bundle" / "model.bin").read_bytes()
    assert history(run) == history(whole)
    assert (run / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()
    assert (run / "recipe.toml").read_bytes() == (whole / "recipe.toml").read_bytes()
    assert not list(run.rglob(".partial-*"))
    names = [sorted(path.name for path in (one / "checkpoints").iterdir()) for one in (run, whole)]
    assert names[0] == names[1]


def require_whole_or_absent(run: Path) -> None:
    if (run / "bundle").exists():
        Bundle.open(run / "bundle").verify()
    for checkpoint in run.glob("checkpoints/epoch-*"):
        assert {path.name for path in checkpoint.iterdir()} == {"state.npz", "history.json"}
        with np.load(checkpoint / "state.npz") as archive:
            assert archive.files


def epochs_done(run: Path) -> int:
    return max((int(path.name[6:10]) for path in run.glob("checkpoints/epoch-*")), default=0)


def require_resumed(begin: Begin, run: Path, whole: Path) -> None:
    training = begin(run, resume=True)
    assert training.status() == 0, training.log.read_text()
    require_as_undisturbed(run, whole)


def test_killed_at_random_moments_and_resumed_it_ends_with_the_same_weights(
    begin: Begin, whole: Path, tmp_path: Path
) -> None:
    rng, run, killed = random.Random(4), tmp_path / "run", 0  # noqa: S311  chance, not secrecy
    for epoch in (0, 1, 2, 3, 5):
        training = begin(run, resume=True)
        while not training.ended() and epochs_done(run) < epoch:
            pass
        time.sleep(rng.uniform(0, 0.2))
        training.send(signal.SIGKILL)
        killed += training.status() == -signal.SIGKILL
        require_whole_or_absent(run)
    assert killed >= 3
    require_resumed(begin, run, whole)


@pytest.mark.parametrize("moment", some_now((6, 11), range(1, 14)))
def test_killed_while_the_bundle_is_written_it_leaves_none_or_a_whole_one(
    begin: Begin, whole: Path, tmp_path: Path, moment: int
) -> None:
    """In three steps the cache notes that it is sound; six things in it are made durable; it is renamed."""
    run = tmp_path / "run"
    assert begin(run, killed_at=moment, where="bundle").status() == -signal.SIGKILL
    require_whole_or_absent(run)
    assert (run / "bundle").exists() == (moment >= 11)
    assert not (run / "metrics.json").exists()
    require_resumed(begin, run, whole)


@pytest.mark.parametrize("moment", some_now((2, 5), range(1, 20)))
def test_killed_at_any_write_it_can_be_resumed(begin: Begin, whole: Path, tmp_path: Path, moment: int) -> None:
    run = tmp_path / "run"
    assert begin(run, killed_at=moment, where="anywhere").status() == -signal.SIGKILL
    require_whole_or_absent(run)
    require_resumed(begin, run, whole)


def test_ctrl_c_ends_with_one_sentence_and_the_run_goes_on_later(begin: Begin, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    training = begin(run)
    while not training.ended() and epochs_done(run) < 2:
        pass
    training.send(signal.SIGINT)
    assert training.status() == 130
    said = training.log.read_text()
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1].startswith("stopped. Finished work is kept")
    require_whole_or_absent(run)
    require_resumed(begin, run, whole)


def test_a_process_of_its_own_is_killed_and_resumed_as_well(images: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "tellapart", "train", str(images), *WORDS, "--out", str(run), "--resume"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and epochs_done(run) < 2:
            time.sleep(0.002)
        process.kill()
    subprocess.run(command, check=True, capture_output=True)
    require_as_undisturbed(run, whole)
