"""As a person judges a classifier: the report, a bundle that may say "I don't know", a second look at test."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart import Dataset

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def run(home: Path, command: Command) -> Path:
    """Digits, told by a small network, and the report that comes with it."""
    words = ("train", "digits", "--model", "mlp", "--epochs", 15, "--out", home / "run")
    done = command(*words, TELLAPART_CACHE=str(home / "cache"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"report: {home / 'run' / 'report.html'}"
    return home / "run"


@pytest.fixture(scope="module")
def calibrated(run: Path, home: Path, command: Command) -> Path:
    words = ("calibrate", run / "bundle", "digits", "--reject-for", "coverage=0.9")
    done = command(*words, TELLAPART_CACHE=str(home / "cache"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"bundle: {run / 'bundle-calibrated'}"
    return run / "bundle-calibrated"


def section(page: str, anchor: str) -> str:
    found = re.search(rf'<section id="{anchor}".*?</section>', page, re.DOTALL)
    assert found, anchor
    return " ".join(re.sub(r"<[^>]*>", " ", found[0]).split())


def answers(done: "subprocess.CompletedProcess[str]") -> list[dict[str, object]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_report_tells_of_both_splits_and_of_simpler_classifiers(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    metrics = json.loads((run / "metrics.json").read_text())
    for split in ("validation", "test"):
        assert f"{metrics[split]['accuracy']['value']:.1%}" in section(page, split)
    assert "k nearest neighbours" in section(page, "test")
    assert "digits" in section(page, "recipe")
    assert section(page, "calibration")
    assert section(page, "explanations").count("test image") >= 2
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r'(?:src|href)="(?!data:|#)', markup)
    assert len(page.encode()) < 15_000_000


def test_noise_is_not_answered_and_most_digits_are(
    run: Path, calibrated: Path, tmp_path: Path, command: Command
) -> None:
    rng = np.random.default_rng(0)
    for number in range(20):
        pixels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
    noise = answers(command("predict", calibrated, tmp_path, "--json"))
    assert sum(bool(line["unknown"]) for line in noise) >= 18
    assert not any(line["unknown"] for line in answers(command("predict", run / "bundle", tmp_path, "--json")))
    (tmp_path / "digits").mkdir()
    images = Dataset.open("digits").splits["all"].images
    for number in range(10):
        Image.fromarray(images.read(number)[:, :, 0]).save(tmp_path / "digits" / f"{number}.png")
    known = answers(command("predict", calibrated, tmp_path / "digits", "--json"))
    assert sum(not line["unknown"] for line in known) >= 7


def test_each_further_look_at_test_is_counted_and_in_the_report(run: Path, calibrated: Path, command: Command) -> None:
    first = command("evaluate", run / "bundle", "digits")
    second = command("evaluate", calibrated, "digits")
    assert "have now been evaluated" not in first.stderr
    assert "have now been evaluated 3 times" in second.stderr
    assert first.stdout == second.stdout  # a classifier that may decline is judged on all images
    assert command("evaluate", run / "bundle", "digits", "--split", "validation").stderr.count("judged") == 0
    done = command("report", run)
    assert done.returncode == 0, done.stderr
    assert "3 times" in section((run / "report.html").read_text(encoding="utf-8"), "test")
