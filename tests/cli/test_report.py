"""`tellapart report`, and the report that `train` leaves."""

import shutil
from pathlib import Path

import pytest

from tellapart.reports import explanation_section
from tellapart.training import baselines
from tellapart.training.run import Run

from .conftest import Said

WORDS = ("--model", "mlp", "--size", "20", "--epochs", "1", "--batch-size", "8", "--precision", "float32")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanation_section, "MAX_EXPLAINED", 1)
    monkeypatch.setattr(baselines, "TREES", 2)


def test_the_report_is_written_and_named(said: Said, run: Run) -> None:
    answer = said("report", run.folder)
    assert (answer.status, answer.out) == (0, f"report: {run.folder / 'report.html'}\n")
    assert "<!doctype html>" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_images_elsewhere_are_named_with_data(said: Said, run: Run, tiny: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(tiny, tmp_path / "moved")
    assert said("report", run.folder, "--data", moved).status == 0
    assert "Images and baselines are missing" not in (run.folder / "report.html").read_text(encoding="utf-8")
    assert said("report", run.folder, "--data", tmp_path / "absent").status == 0
    assert "Images and baselines are missing" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_what_is_no_run_is_refused(said: Said, run: Run, tmp_path: Path) -> None:
    for folder in (tmp_path / "absent", run.bundle.folder):
        assert "is not a run: its environment.json cannot be read" in said("report", folder).error


def test_training_ends_with_a_report_unless_it_is_not_wanted(said: Said, tiny: Path, tmp_path: Path) -> None:
    answer = said("train", tiny, *WORDS, "--out", tmp_path / "one")
    assert answer.out.splitlines()[-1] == f"report: {tmp_path / 'one' / 'report.html'}"
    assert (tmp_path / "one" / "report.html").exists()
    answer = said("train", tiny, *WORDS, "--out", tmp_path / "two", "--no-report")
    assert "report" not in answer.out
    assert not (tmp_path / "two" / "report.html").exists()


def test_a_run_that_cannot_be_reported_is_trained_all_the_same(said: Said, tiny: Path, tmp_path: Path) -> None:
    answer = said("train", tiny, *WORDS, "--validation", "0", "--test", "0", "--out", tmp_path / "run")
    assert answer.status == 0
    assert "no report: " in answer.err
    assert (tmp_path / "run" / "bundle" / "bundle.json").exists()
