"""`tellapart lr-find` as a person sees it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.cli import lr_find as command
from tellapart.reports.png import VARIABLE
from tellapart.studies.lr_find import RateTest

from .conftest import Said

CHROMIUM = Path("/usr/bin/chromium")
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no {CHROMIUM}: install Debian's chromium")
WORDS = ("--model", "mlp", "--size", 20, "--batch-size", 8)


def test_it_prints_the_curve_and_recommends_a_rate_and_writes_nothing(
    said: Said, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = said("lr-find", tiny, *WORDS)
    assert answer.status == 0
    lines = answer.out.splitlines()
    assert lines[0].split() == ["rate", "loss"]
    assert lines[1].startswith("1.0e-07")
    assert "#" in lines[1]
    recommended = float(next(line for line in lines if line.startswith("recommended")).split()[1].rstrip(","))
    assert 1e-5 < recommended < 1
    assert f"--learning-rate {recommended:g}" in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [pytest.param("rate.png", marks=needs_chromium), "rate.html"])
def test_it_saves_the_curve_and_the_table(name: str, said: Said, tiny: Path, tmp_path: Path) -> None:
    answer = said("lr-find", tiny, *WORDS, "--steps", 40, "--out", tmp_path / "out", "--save", tmp_path / name)
    assert answer.status == 0
    with (tmp_path / "out" / "find-rate.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[0]["rate"]) == pytest.approx(1e-7)
    assert 20 < len(rows) <= 40
    assert all(float(row["smoothed"]) > 0 for row in rows)
    if name.endswith(".png"):
        with Image.open(tmp_path / name) as image:
            assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 4
    else:
        page = (tmp_path / name).read_text()
        assert "steepest" in page
        assert 'src="http' not in page


def test_a_loss_that_never_falls_recommends_nothing(said: Said, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = RateTest(np.geomspace(1e-7, 10, 50), np.full(50, 2.3))
    monkeypatch.setattr(command, "test_rates", lambda *_, **__: flat)
    answer = said("lr-find", tiny, *WORDS)
    assert answer.status == 1
    assert "none can be recommended" in answer.out
    assert "recommended  " not in answer.out


@pytest.mark.parametrize(("end", "phrase"), [(0.5, "the highest rate tried"), (2.0, "and rises beyond")])
def test_it_says_whether_the_loss_rose_again(
    end: float, phrase: str, said: Said, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = RateTest(np.geomspace(1e-7, 10, 60), np.r_[np.full(20, 2.3), np.linspace(2.3, 0.8, 30), np.full(10, end)])
    monkeypatch.setattr(command, "test_rates", lambda *_, **__: found)
    assert phrase in said("lr-find", tiny, *WORDS).out


def test_a_file_of_an_unknown_kind_is_refused_before_the_work(said: Said, tmp_path: Path) -> None:
    assert "name a .png or .html file" in said("lr-find", tmp_path / "absent", *WORDS, "--save", "rate.gif").error


def test_a_png_without_chromium_is_refused_before_the_work(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "no-browser"))
    answer = said("lr-find", tmp_path / "absent", *WORDS, "--save", "rate.png")
    assert "PNG files of figures need Chromium or Chrome" in answer.error
