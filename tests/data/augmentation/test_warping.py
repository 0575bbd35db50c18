"""Sampling pictures along an affine map."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.augmentation.warping import unmoved, warped
from tellapart.data.preprocessing import to_image

Batch = NDArray[np.uint8]
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
BATCHES = arrays(np.uint8, SHAPES)


def smooth(height: int, width: int, channels: int = 3) -> Batch:
    """A picture whose neighbours are alike."""
    small = np.random.default_rng(0).integers(0, 256, (4, 4, channels), dtype=np.uint8)
    return np.asarray(to_image(small).resize((width, height), Image.Resampling.BICUBIC)).reshape(
        height, width, channels
    )


@given(BATCHES)
def test_the_map_that_moves_nothing_changes_nothing(pictures: Batch) -> None:
    np.testing.assert_array_equal(warped(pictures, unmoved(len(pictures))), pictures)


@given(BATCHES, st.integers(-20, 20), st.integers(-20, 20))
def test_beyond_its_border_a_picture_goes_on_as_its_mirror_image(pictures: Batch, down: int, right: int) -> None:
    _, height, width, _ = pictures.shape
    margin = ((0, 0), (20, 20), (20, 20), (0, 0))
    wide = np.pad(pictures, margin, mode="reflect")
    expected = wide[:, 20 - down : 20 - down + height, 20 - right : 20 - right + width]
    np.testing.assert_array_equal(warped(pictures, unmoved(len(pictures)).moved(down, right)), expected)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_exact_and_anticlockwise(quarters: int) -> None:
    pictures = np.stack([smooth(11, 11), smooth(11, 11)[::-1]])
    turned = warped(pictures, unmoved(2).turned(np.array([90.0 * quarters, 0])))
    assert np.abs(turned[0].astype(int) - np.rot90(pictures[0], quarters)).max() <= 1
    np.testing.assert_array_equal(turned[1], pictures[1])


@pytest.mark.parametrize(("height", "width", "channels"), [(40, 40, 3), (31, 48, 1)])
def test_a_map_gives_what_pillow_gives(height: int, width: int, channels: int) -> None:
    picture = smooth(height, width, channels)
    affine = unmoved(1).moved(2.5, -3.0).turned(np.array([20.0])).slanted(x=0.2, y=-0.1).scaled(np.array([1.3]))
    (yy, yx), (xy, xx) = affine.matrix[0].tolist()
    y, x = affine.offset[0].tolist()
    middle_y, middle_x = height / 2, width / 2
    row = (yx, yy, middle_y + y - yx * middle_x - yy * middle_y)
    column = (xx, xy, middle_x + x - xx * middle_x - xy * middle_y)
    expected = to_image(picture).transform(
        (width, height), Image.Transform.AFFINE, (*column, *row), Image.Resampling.BILINEAR
    )
    inside = to_image(np.full_like(picture, 255)).transform(
        (width, height), Image.Transform.AFFINE, (*column, *row), Image.Resampling.NEAREST
    )
    seen = np.asarray(inside).reshape(picture.shape) == 255
    seen[[0, -1]] = seen[:, [0, -1]] = False
    difference = np.abs(
        warped(picture[np.newaxis], affine)[0].astype(int) - np.asarray(expected).reshape(picture.shape)
    )
    assert seen.mean() > 0.5
    assert np.quantile(difference[seen], 0.98) <= 1  # at the very border Pillow has no neighbour to weigh


def test_scaling_makes_what_is_seen_larger_and_moving_is_down_and_right() -> None:
    picture = np.zeros((1, 21, 21, 1), np.uint8)
    picture[0, 8:13, 8:13] = 255
    assert (warped(picture, unmoved(1).scaled(np.array([2.0]))) > 127).sum() == pytest.approx(100, abs=21)
    moved = warped(picture, unmoved(1).moved(3, 5))
    np.testing.assert_array_equal(np.argwhere(moved[0, :, :, 0]).min(axis=0), [11, 13])


def test_the_picture_of_a_row_does_not_depend_on_the_others() -> None:
    pictures = np.stack([smooth(12, 9), smooth(12, 9)[::-1], smooth(12, 9)[:, ::-1]])
    angles = np.array([10.0, 170.0, -30.0])
    together = warped(pictures, unmoved(3).turned(angles).scaled(np.array([0.3, 1, 2])))
    for row in range(3):
        affine = unmoved(1).turned(angles[row : row + 1]).scaled(np.array([[0.3, 1, 2][row]]))
        np.testing.assert_array_equal(warped(pictures[row : row + 1], affine)[0], together[row])
