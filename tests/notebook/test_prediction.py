"""A prediction in a notebook: the image where its file exists, and bars."""

import os
import re
from pathlib import Path

import pytest
from PIL import Image

from tellapart import Prediction, Predictor, Unreadable
from tellapart.bundles.predictor import ClassProbability
from tellapart.training.run import Run

TOP = (ClassProbability("cat", 0.9), ClassProbability("dog", 0.08), ClassProbability("<b>cow</b>", 0.02))


def test_a_prediction_shows_the_image_its_label_and_bars(trained: Run, tiny: Path) -> None:
    file = tiny / "blue" / "00.png"
    (answer,) = Predictor(trained.bundle).predict([file])
    assert isinstance(answer, Prediction)
    shown = answer._repr_html_()
    assert shown.count('<img src="data:image/png;base64,') == 1
    assert re.findall(r"width: ([\d.]+%)", shown) == [f"{choice.probability:.1%}" for choice in answer.top]
    assert f">{answer.label}</div>" in shown
    assert str(file) in shown


@pytest.mark.parametrize("path", ["", "upload.png", ".", "a\0b.png", "x" * 5000, "a/" * 3000, "\udcff.png"])
def test_a_path_that_is_not_a_file_has_no_image(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = Prediction(path, TOP)._repr_html_()
    assert "<img" not in shown
    assert "90.0%" in shown
    shown.encode("utf-8")


def test_a_file_that_is_no_longer_an_image_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"changed since")
    assert "<img" not in Prediction(str(tmp_path / "a.png"), TOP)._repr_html_()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "<img" not in Prediction(str(tmp_path / "pipe.png"), TOP)._repr_html_()


def test_names_are_text(tmp_path: Path) -> None:
    file = tmp_path / "<i>.png"
    Image.new("L", (4, 4)).save(file)
    shown = Prediction(str(file), TOP)._repr_html_() + Unreadable("<u>", "<s>")._repr_html_()
    for tag in ("<b>", "<i>", "<u>", "<s>"):
        assert tag not in shown
        assert tag.replace("<", "&lt;").replace(">", "&gt;") in shown


def test_an_unreadable_image_has_the_reason() -> None:
    assert "a.png: not an image" in Unreadable("a.png", "not an image")._repr_html_()
