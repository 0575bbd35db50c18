"""Reading image files: every failure is an ImageError, and nothing but a regular file is opened."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
