"""Twelve bits in sixteen, and white icons on a clear background, are found; ordinary images are not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart import Dataset
from tellapart.checking.check import check
from tellapart.checking.finding import Finding


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))


def found(folder: Path) -> dict[str, Finding]:
    return {finding.kind: finding for finding in check(Dataset.open(folder))}


def save(folder: Path, mode: str, factor: int = 1) -> Path:
    """Save six noisy images of two classes: grey of 8 or 16 bits, or white with its shape in the alpha."""
    rng = np.random.default_rng(0)
    for number in range(6):
        values = rng.integers(0, 255, (64, 64)).astype(np.uint8)
        path = folder / ("a" if number % 2 else "b") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if mode == "alpha":
            white = np.full((64, 64, 3), 255, np.uint8)
            Image.fromarray(np.dstack([white, values])).save(path)
        else:
            Image.fromarray(values.astype(np.uint16) * factor if mode == "wide" else values).save(path)
    return folder


def test_unused_bits_are_a_note_and_no_longer_blank(tmp_path: Path) -> None:
    findings = found(save(tmp_path / "twelve", "wide", 16))
    finding = findings["unused-bits"]
    assert (finding.severity, finding.count, len(finding.rows)) == ("note", 6, 6)
    assert finding.sentence == (
        "6 images have 16 bits of which the highest 4 are never used: by their high byte they would be nearly black, "
        "0 to 15 of 255."
    )
    assert "--range 0:4095" in finding.advice
    assert "blank" not in findings


def test_a_white_shape_on_a_clear_background_is_a_warning(tmp_path: Path) -> None:
    finding = found(save(tmp_path / "icons", "alpha"))["clear-background"]
    assert (finding.severity, finding.count) == ("warning", 6)
    assert "--alpha black" in finding.advice
    assert finding.rows[0].detail.startswith("spread 0.0 on white, ")


@pytest.mark.parametrize(("mode", "factor"), [("grey", 1), ("wide", 257)])
def test_ordinary_images_have_neither(tmp_path: Path, mode: str, factor: int) -> None:
    assert found(save(tmp_path / "plain", mode, factor)).keys().isdisjoint({"unused-bits", "clear-background"})
