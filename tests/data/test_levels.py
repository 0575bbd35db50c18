"""The range that images of 16 bits use: full bits, or a measured part of them."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.images import ConcatImages, FileImages
from tellapart.data.levels import levels_of, measure_levels, visible_conversion


def files(folder: Path, *arrays: np.ndarray) -> FileImages:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.png" for number in range(len(arrays))]
    for path, array in zip(paths, arrays, strict=True):
        Image.fromarray(array).save(path)
    return FileImages(tuple(map(str, paths)), tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths))


def ramp(low: int, high: int) -> np.ndarray:
    return np.linspace(low, high, 40_000).astype(np.uint16).reshape(200, 200)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 4080, (0, 4095)),  # twelve bits, as a detector gives them
        (0, 1023, (0, 1023)),
        (200, 16_000, (0, 16_383)),
        (0, 255, (0, 255)),
        (0, 65_535, None),  # all bits: their high byte, as before
        (500, 60_000, None),
    ],
)
def test_the_bits_that_are_used_decide(low: int, high: int, expected: tuple[int, int] | None) -> None:
    assert levels_of(ramp(low, high)).range == expected


def test_a_measured_range_is_taken_as_it_is() -> None:
    """Temperatures from 29,000 to 31,000 use all bits and hardly any of their range."""
    found = levels_of(ramp(29_000, 31_000)).range
    assert found is not None
    assert found == pytest.approx((29_000, 31_000), abs=2)


def test_a_hot_pixel_decides_nothing() -> None:
    wide = ramp(0, 4080)
    wide[0, 0] = 65_535
    found = levels_of(wide).range
    assert found is not None
    assert found == pytest.approx((0, 4080), abs=4)


def test_the_range_is_found_over_all_images(tmp_path: Path) -> None:
    images = files(tmp_path, ramp(0, 900), ramp(0, 4000), np.zeros((5, 5), np.uint8))
    levels = measure_levels([images])
    assert levels is not None
    assert levels.range == (0, 4095)
    assert levels.digests == images.digests[:2]
    assert levels.sentence == "2 images have 16 bits of which the highest 4 are never used"
    assert visible_conversion([ConcatImages((images,))]).range == (0, 4095)


def test_where_no_image_has_16_bits_there_is_no_range(tmp_path: Path) -> None:
    images = files(tmp_path, np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.uint8))
    gone = FileImages((str(tmp_path / "gone.png"), str(tmp_path)), ("0" * 64, "1" * 64))
    assert measure_levels([images, gone]) is None
    assert visible_conversion([images]).range is None
