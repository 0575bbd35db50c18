"""Reading image files: every failure is an ImageError, and nothing but a regular file is opened."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.decoding.decode_limits import Limits
from tellapart.data.read_image import not_a_file, read_bytes, read_image
from tellapart.errors import ImageError


def test_a_file_is_read_and_decoded(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.png")), pixels)


def test_an_impossible_path_is_an_image_error() -> None:
    with pytest.raises(ImageError, match="cannot be read: embedded null byte"):
        read_bytes("a\0.png")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("b.png", None),
        ("more", "is a folder, not a file"),
        ("/dev/null", "is a device, not a file"),
        ("b.png/c.png", "cannot be read: Not a directory"),
        ("n" * 300, "cannot be read: File name too long"),
        ("a\0b", "cannot be read: embedded null byte"),
    ],
)
def test_a_path_that_is_not_a_file_has_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, reason: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("more").mkdir()
    Path("b.png").write_bytes(b"")
    assert not_a_file(path) == reason


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs here")
def test_a_fifo_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ImageError, match="is a FIFO, not a file"):
        read_image(str(tmp_path / "a.png"))


def test_no_more_bytes_are_read_than_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(bytes(100))
    monkeypatch.setattr("tellapart.data.read_image.own_limits", lambda: Limits(bytes=99))
    with pytest.raises(ImageError, match="the file has more than 99 bytes"):
        read_bytes(str(tmp_path / "a.png"))


def test_several_pages_are_noted_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellapart.data.read_image._noted", [])
    for name in ("a.tif", "b.tif"):
        Image.new("L", (2, 2), 5).save(tmp_path / name, save_all=True, append_images=[Image.new("L", (2, 2))] * 2)
        assert read_image(str(tmp_path / name))[0, 0].tolist() == [5]
    assert capsys.readouterr().err == (
        f"{tmp_path / 'a.tif'} has 3 pages, of which the first is used, as in all files of several pages\n"
    )
