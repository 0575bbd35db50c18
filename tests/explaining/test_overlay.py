"""Saliency maps over images and photos."""

import numpy as np
import pytest

from tellapart.data.preprocessing import Fit, Preprocessing
from tellapart.explaining.centred_logits import Heat
from tellapart.explaining.overlay import (
    MAX_SIDE,
    VIRIDIS,
    apply_colours,
    overlay,
    overlay_on_photo,
    shrink,
    visible_box,
)


def lightness(pixels: np.ndarray) -> np.ndarray:
    """ITU-R BT.601."""
    light: np.ndarray = pixels @ np.array([0.299, 0.587, 0.114])
    return light


def test_the_scale_goes_from_its_first_colour_to_its_last_and_only_gets_lighter() -> None:
    scale = apply_colours(np.linspace(0, 1, 50, dtype=np.float32))
    np.testing.assert_array_equal(scale[[0, -1]], [VIRIDIS[0], VIRIDIS[-1]])
    assert (np.diff(lightness(scale)) > 0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_hot_regions_are_yellow_and_the_image_remains_visible(channels: int) -> None:
    image = np.full((10, 20, channels), 128, np.uint8)
    image[2:4] = 255
    heat = np.zeros((10, 20), np.float32)
    heat[:, 15] = 1
    over = overlay(image, heat)
    assert over.shape == (10, 20, 3)
    assert over.dtype == np.uint8
    assert over[8, 15, 0] > over[8, 15, 2] + 80
    assert lightness(over[2, 0]) > lightness(over[8, 0]) + 60


CASES: list[tuple[Fit, tuple[int, int], tuple[int, int]]] = [
    ("crop", (300, 100), (150, 50)),
    ("crop", (90, 240), (45, 120)),
    ("stretch", (300, 100), (150, 50)),
    ("pad", (300, 100), (150, 50)),
    ("pad", (90, 240), (45, 120)),
]


@pytest.mark.parametrize(("fit", "size", "middle"), CASES)
def test_the_heat_of_a_mark_covers_the_mark_in_the_photo(
    fit: Fit, size: tuple[int, int], middle: tuple[int, int]
) -> None:
    """A white mark off the middle is preprocessed; the resulting image, as a map, must cover the mark again."""
    photo = np.zeros((*size, 3), np.uint8)
    row, column = middle[0] - 20, middle[1] + 15
    photo[row - 8 : row + 8, column - 8 : column + 8] = 255
    preprocessing = Preprocessing(60, 60, 3, fit)
    heat: Heat = (preprocessing(photo)[:, :, 0] / 255).astype(np.float32)
    over = overlay_on_photo(np.zeros_like(photo), heat, preprocessing)
    assert over.shape == photo.shape
    hot = np.argwhere(over[:, :, 0] > 100)
    np.testing.assert_allclose(hot.mean(axis=0), (row, column), atol=2.5)


def test_parts_outside_the_crop_are_dark_and_grey() -> None:
    photo = np.full((50, 100, 1), 200, np.uint8)
    over = overlay_on_photo(photo, np.ones((30, 30), np.float32), Preprocessing(30, 30, 1, "crop"))
    assert (over[:, :24] == 70).all()
    assert (over[:, 76:] == 70).all()
    assert (over[:, 26:74, 0] > over[:, 26:74, 2] + 50).all()


def test_large_photos_are_drawn_smaller_and_thin_ones_keep_a_pixel() -> None:
    assert shrink(np.zeros((3000, 1500, 1), np.uint8)).shape == (MAX_SIDE, MAX_SIDE // 2, 1)
    thin = overlay_on_photo(np.zeros((5000, 2, 3), np.uint8), np.ones((8, 8), np.float32), Preprocessing(8, 8, 3))
    assert thin.shape == (MAX_SIDE, 1, 3)
    assert visible_box((5000, 2, 3), Preprocessing(8, 8, 3), (MAX_SIDE, 1, 3))[2] == 1
