"""A study as a person makes it: factor after factor, stopped, resumed, then the winner used."""

import csv
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

Command = Callable[..., "subprocess.CompletedProcess[str]"]
STUDY = (
    "--model", "mlp", "--batch-size", "8", "--epochs", "3", "--patience", "99",
    "--vary", "learning_rate=1e-4,1e-3,1e-2,1e-1", "--vary", "inner=none,10,100", "--vary", "dropout=0,0.5 @ epochs=5",
)  # fmt: skip


def trials_of(folder: Path) -> list[str]:
    with (folder / "trials.csv").open(newline="") as stream:
        return list(dict.fromkeys(row["trial"] for row in csv.DictReader(stream)))


def test_a_study_is_stopped_and_gone_on_with_and_its_winner_trained_again(
    tiny: Path, tmp_path: Path, command: Command
) -> None:
    out = tmp_path / "sweep"
    words = [sys.executable, "-m", "tellapart", "sweep", str(tiny), *STUDY, "--out", str(out)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        waited = time.monotonic()
        while not (out / "trials" / "0002.json").exists() and time.monotonic() - waited < 300:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    finished = {path: path.read_bytes() for path in (out / "trials").glob("*.json")}
    assert len(finished) >= 2
    done = command("sweep", tiny, *STUDY, "--out", out)
    assert done.returncode == 0, done.stderr
    assert all(path.read_bytes() == content for path, content in finished.items())
    assert trials_of(out) == [*"12345678"]  # of inner, none is what was tried before
    told = command("predict", out / "bundle", tiny / "red", "--csv")
    assert told.returncode == 0
    assert len(told.stdout.splitlines()) == 1 + 12
    judged = command("evaluate", out / "bundle", tiny)
    assert judged.returncode == 0
