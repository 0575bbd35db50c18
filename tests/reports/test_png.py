"""PNG files of figures: drawn by a real Chromium, or an error that names what is missing."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.errors import MissingPackageError, StorageError, TellapartError
from tellapart.judging.evaluation import Evaluation, judge
from tellapart.reports import figures
from tellapart.reports.png import VARIABLE, write_figures, write_png

CHROMIUM = Path("/usr/bin/chromium")
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no {CHROMIUM}: install Debian's chromium")


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Evaluation:
    monkeypatch.setenv(VARIABLE, str(CHROMIUM))
    probs = np.random.default_rng(3).dirichlet(np.ones(3), 60)
    return judge(probs.argmax(axis=1)[np.r_[1:60, 0]], probs, ("</script>", "<b>cat</b>", "dog"))


def colours(path: Path) -> int:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        assert image.format == "PNG"
        counts = image.convert("RGB").getcolors(maxcolors=2**24)
    assert counts is not None
    return len(counts)


@needs_chromium
def test_a_figure_has_the_requested_size_and_is_not_blank(judged: Evaluation, tmp_path: Path) -> None:
    path = write_png(figures.confusion(judged), tmp_path / "new" / "confusion.png", width=500, height=300, scale=2)
    with Image.open(path) as image:
        assert image.size == (1000, 600)
    assert colours(path) > 20
    assert list(path.parent.iterdir()) == [path]


@needs_chromium
def test_all_figures_of_an_evaluation_are_named_by_its_split(judged: Evaluation, tmp_path: Path) -> None:
    paths = write_figures(judged, tmp_path / "out", split="test")
    names = "confusion confusion-percent per-class reliability coverage roc precision-recall"
    assert [path.name for path in paths] == [f"test-{name}.png" for name in names.split()]
    for path in paths:
        with Image.open(path) as image:
            assert image.size[0] == 1800
        assert colours(path) > 20


def test_undefined_figures_are_not_drawn(judged: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[str]] = []

    def draw(figures: list[Any], **_: object) -> list[bytes]:
        drawn.append([figure.layout.title.text for figure in figures])
        return [b"png"] * len(figures)

    monkeypatch.setattr("tellapart.reports.png._draw_pngs", draw)
    one_class = judge(np.zeros(4, dtype=int), np.full((4, 2), 0.5), ("a", "b"))
    assert not any("roc" in path.name for path in write_figures(one_class, tmp_path))
    assert len(write_figures(judged, tmp_path, threshold=0.5)) == 7
    assert [len(titles) for titles in drawn] == [5, 7]
    answered = np.mean(judged.probs.max(axis=1) >= 0.5)
    assert drawn[1][4].startswith(f"{answered:.1%} answered")


def test_without_a_browser_the_error_names_one_to_install(
    judged: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = figures.confusion(judged)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(MissingPackageError, match=r"absent, which is not a program: install one.*apt install chromium"):
        write_png(figure, tmp_path / "a.png")
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr("tellapart.reports.png.BROWSERS", ("no-such-browser",))
    with pytest.raises(MissingPackageError, match=f"none is installed.*{VARIABLE}"):
        write_png(figure, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo no display >&2; exit 3", "no display"),
        ("exit 3", "exit status 3"),
        ("echo '<html>TypeError: bad figure</html>'", r"did not draw the figure \(TypeError: bad figure\)"),
        ("exec sleep 20", "timed out after"),
    ],
)
def test_a_browser_that_fails_is_quoted(
    script: str, sentence: str, judged: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(browser))
    monkeypatch.setattr("tellapart.reports.png.START_SECONDS", 1)
    monkeypatch.setattr("tellapart.reports.png.FIGURE_SECONDS", 0)
    with pytest.raises(TellapartError, match=sentence) as caught:
        write_png(figures.confusion(judged), tmp_path / "a.png")
    assert VARIABLE in str(caught.value)
    assert not (tmp_path / "a.png").exists()


@needs_chromium
def test_a_path_that_cannot_be_written_is_an_error(judged: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="cannot write"):
        write_png(figures.confusion(judged), tmp_path / "file" / "a.png")
