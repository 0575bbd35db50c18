"""`--max-pixels` holds for one command, and for the processes that it starts."""

import os
from pathlib import Path

import pytest
from PIL import Image

from tellapart.cli.max_pixels import max_pixels_set
from tellapart.cli.run_command import run
from tellapart.data.decoding.decode_limits import MAX_PIXELS
from tellapart.errors import TellapartError


@pytest.mark.parametrize(
    ("words", "rest", "value"),
    [
        (["show", "a.png", "--max-pixels", "300e6"], ["show", "a.png"], "300000000"),
        (["predict", "--max-pixels=5", "b", "c"], ["predict", "b", "c"], "5"),
        (["train", "a"], ["train", "a"], None),
        (["serve", "b", "--max-pixels", "5"], ["serve", "b", "--max-pixels", "5"], None),
        ([], [], None),
    ],
)
def test_it_is_taken_from_the_words(
    monkeypatch: pytest.MonkeyPatch, words: list[str], rest: list[str], value: str | None
) -> None:
    monkeypatch.delenv(MAX_PIXELS, raising=False)
    with max_pixels_set(words) as left:
        assert (left, os.environ.get(MAX_PIXELS)) == (rest, value)
    assert MAX_PIXELS not in os.environ


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAX_PIXELS, "7")
    with max_pixels_set(["show", "--max-pixels", "8"]):
        assert os.environ[MAX_PIXELS] == "8"
    assert os.environ[MAX_PIXELS] == "7"


@pytest.mark.parametrize("value", ["", "many", "0", "-3", "1.5", "nan", "1e20"])
def test_other_values_are_refused(value: str) -> None:
    with (
        pytest.raises(TellapartError, match="expected a number of pixels"),
        max_pixels_set(["show", "a", "--max-pixels", value]),
    ):
        pass


def test_a_command_reads_no_larger_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (20, 10)).save(tmp_path / "a.png")
    assert run(["show", str(tmp_path / "a.png"), "--max-pixels", "199"]) == 2
    assert "20 x 10 pixels, at most 199 in all are decoded" in capsys.readouterr().err
    assert run(["show", str(tmp_path / "a.png"), "--max-pixels", "200"]) == 0
