"""A person whose images are more than one process should see to: on Ray, stopped, and resumed."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tellapart.bundles.batch.predict_to_file import predict_to_file
from tellapart.training.run import Run

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is absent: install tellapart[ray]", allow_module_level=True)

Command = Callable[..., "subprocess.CompletedProcess[str]"]
TIMES = 300  # that the 36 images are named
ON_RAY = ("--on", "ray", "--workers", "2")
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")  # try for a minute to tell a killed head why they go
STARTING = "starting Ray on this machine\n"


@pytest.fixture(autouse=True)
def _a_home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def in_the_middle(words: list[str], out: Path) -> Iterator["subprocess.Popen[str]"]:
    """A command that has answered some images more than were answered before, not yet all, and stands still."""
    folder, pipe = out.with_name(f"{out.name}.parts"), subprocess.PIPE
    before = len(list(folder.glob("part-*")))
    command = [sys.executable, "-m", "tellapart", *words]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        try:
            while len(list(folder.glob("part-*"))) < before + 4:
                assert process.poll() is None, process.communicate()
                time.sleep(0.02)
            process.send_signal(signal.SIGSTOP)  # else a busy machine lets it end before it is examined
            yield process
        finally:
            process.kill()


def require_gone(family: list[psutil.Process], but: tuple[str, ...] = ()) -> None:
    _, left = psutil.wait_procs(family, timeout=20)
    assert not [one for one in left if one.name() not in but]


def test_a_prediction_on_ray_is_killed_stopped_and_ended_alone(
    trained: Run, tiny: Path, tmp_path: Path, command: Command
) -> None:
    whole = predict_to_file(trained.bundle, sorted(tiny.rglob("*.png")) * TIMES, tmp_path / "whole.parquet")
    out = tmp_path / "found.parquet"
    words = ["predict", str(trained.bundle.folder), *[str(tiny)] * TIMES, "--out", str(out)]

    with in_the_middle([*words, *ON_RAY], out) as predicting:
        family = psutil.Process(predicting.pid).children(recursive=True)
        predicting.send_signal(signal.SIGKILL)
        require_gone(family, but=AGENTS)
        assert predicting.communicate() == ("", STARTING)
    assert not out.exists()

    with in_the_middle([*words, *ON_RAY], out) as predicting:
        family = psutil.Process(predicting.pid).children(recursive=True)
        os.killpg(predicting.pid, signal.SIGINT)  # as a terminal does: all that it started hear it too
        predicting.send_signal(signal.SIGCONT)
        said, progress = predicting.communicate(timeout=30)
        assert (predicting.returncode, said) == (130, "")
    going_on, starting, *_, last = progress.splitlines(keepends=True)
    assert starting == STARTING
    assert going_on.endswith("images are already predicted: resuming\n")
    assert last == f"stopped. Finished predictions are kept in {out}.parts: the same command resumes\n"
    assert "Traceback" not in progress
    require_gone(family)

    ended = command(*words)  # what was begun on Ray ends without it
    assert ended.returncode == 0, ended.stderr
    assert "are already predicted: resuming" in ended.stderr
    assert out.read_bytes() == whole.path.read_bytes()


def test_features_are_computed_on_ray_and_trained_on_without_the_base(
    tiny: Path, tmp_path: Path, command: Command, xception_weights: Path
) -> None:
    weights = {"TELLAPART_WEIGHTS": str(xception_weights.parent)}
    seen = command("features", tiny, "--model", "xception", *ON_RAY, **weights)
    assert seen.returncode == 0, seen.stderr
    assert seen.stdout.startswith("xception features of 36 images, 0 unreadable")
    assert "36 images to run once through the frozen xception" in seen.stderr
    short = ("--epochs", 1, "--no-report", "--out", tmp_path / "run")
    trained = command("train", tiny, "--model", "xception", *short, **weights)
    assert trained.returncode == 0, trained.stderr
    assert "to run once through" not in trained.stderr
