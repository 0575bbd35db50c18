"""Labelled images side by side."""

import numpy as np
import pytest

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.image_grid import CELL, GAP, TEXT, draw_grid

ROW, COLUMN = CELL + TEXT + GAP, CELL + GAP


def plain(colour: tuple[int, ...], height: int = 8, width: int = 8) -> ImageArray:
    return np.full((height, width, len(colour)), colour, dtype=np.uint8)


@pytest.mark.parametrize(
    ("count", "columns", "rows", "wide"), [(1, 5, 1, 1), (5, 5, 1, 5), (6, 5, 2, 5), (4, 2, 2, 2), (0, 5, 0, 0)]
)
def test_there_is_a_cell_for_each_image(count: int, columns: int, rows: int, wide: int) -> None:
    image = draw_grid([plain((0,))] * count, ["x"] * count, columns=columns)
    assert image.size == (wide * COLUMN + GAP, rows * ROW + GAP)
    assert image.mode == "RGB"


def test_each_image_is_in_its_place_in_reading_order() -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (9,)]
    image = draw_grid([plain(colour) for colour in colours], ["x"] * 4, columns=2)
    for number, colour in enumerate(colours):
        centre = (GAP + number % 2 * COLUMN + CELL // 2, GAP + number // 2 * ROW + CELL // 2)
        assert image.getpixel(centre) == (colour * 3)[:3]


@pytest.mark.parametrize(("height", "width"), [(1, 10_000), (10_000, 1), (1, 1), (300, 200), (7, 8)])
def test_a_image_of_any_shape_fits_its_cell(height: int, width: int) -> None:
    drawn = np.asarray(draw_grid([plain((255, 0, 0), height, width)], [""]))
    dark = np.argwhere(drawn[:, :, 1] < 255)
    assert dark.min() >= GAP
    assert dark.max() < GAP + CELL
    assert np.ptp(dark, axis=0).max() + 1 == CELL  # as large as the cell allows


def test_the_pixels_of_a_small_image_stay_sharp() -> None:
    board = np.array([[[0], [255]], [[255], [0]]], np.uint8)
    drawn = np.asarray(draw_grid([board], [""]))[GAP : GAP + CELL, GAP : GAP + CELL]
    assert set(np.unique(drawn)) == {0, 255}


def test_a_label_stands_under_its_image_and_a_long_one_is_cut() -> None:
    white = plain((255, 255, 255))
    for label in ("cat", "a very long name of a class that no cell can hold", "猫", ""):
        drawn = np.asarray(draw_grid([white, white], [label, ""]))
        dark = np.argwhere(drawn.min(axis=2) < 128)
        assert bool(len(dark)) is bool(label)
        if label:
            assert dark[:, 0].min() >= GAP + CELL
            assert dark[:, 1].max() <= GAP + CELL + GAP  # never into the next cell
    with pytest.raises(ValueError, match="zip"):
        draw_grid([white], ["one", "two"])
