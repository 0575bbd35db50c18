"""Sampling images along an affine map."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.augmentation.warping import identity, warp
from tellapart.data.preprocessing import to_image

Batch = NDArray[np.uint8]
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
BATCHES = arrays(np.uint8, SHAPES)


def smooth(height: int, width: int, channels: int = 3) -> Batch:
    """A smooth image, whose neighbouring pixels are close."""
    small = np.random.default_rng(0).integers(0, 256, (4, 4, channels), dtype=np.uint8)
    return np.asarray(to_image(small).resize((width, height), Image.Resampling.BICUBIC)).reshape(
        height, width, channels
    )


@given(BATCHES)
def test_the_map_that_moves_nothing_changes_nothing(images: Batch) -> None:
    np.testing.assert_array_equal(warp(images, identity(len(images))), images)


@given(BATCHES, st.integers(-20, 20), st.integers(-20, 20))
def test_beyond_its_border_a_image_goes_on_as_its_mirror_image(images: Batch, down: int, right: int) -> None:
    _, height, width, _ = images.shape
    margin = ((0, 0), (20, 20), (20, 20), (0, 0))
    wide = np.pad(images, margin, mode="reflect")
    expected = wide[:, 20 - down : 20 - down + height, 20 - right : 20 - right + width]
    np.testing.assert_array_equal(warp(images, identity(len(images)).shifted(down, right)), expected)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_exact_and_anticlockwise(quarters: int) -> None:
    images = np.stack([smooth(11, 11), smooth(11, 11)[::-1]])
    turned = warp(images, identity(2).rotated(np.array([90.0 * quarters, 0])))
    assert np.abs(turned[0].astype(int) - np.rot90(images[0], quarters)).max() <= 1
    np.testing.assert_array_equal(turned[1], images[1])


@pytest.mark.parametrize(("height", "width", "channels"), [(40, 40, 3), (31, 48, 1)])
def test_a_map_gives_what_pillow_gives(height: int, width: int, channels: int) -> None:
    image = smooth(height, width, channels)
    affine = identity(1).shifted(2.5, -3.0).rotated(np.array([20.0])).sheared(x=0.2, y=-0.1).scaled(np.array([1.3]))
    (yy, yx), (xy, xx) = affine.matrix[0].tolist()
    y, x = affine.offset[0].tolist()
    middle_y, middle_x = height / 2, width / 2
    row = (yx, yy, middle_y + y - yx * middle_x - yy * middle_y)
    column = (xx, xy, middle_x + x - xx * middle_x - xy * middle_y)
    expected = to_image(image).transform(
        (width, height), Image.Transform.AFFINE, (*column, *row), Image.Resampling.BILINEAR
    )
    inside = to_image(np.full_like(image, 255)).transform(
        (width, height), Image.Transform.AFFINE, (*column, *row), Image.Resampling.NEAREST
    )
    seen = np.asarray(inside).reshape(image.shape) == 255
    seen[[0, -1]] = seen[:, [0, -1]] = False
    difference = np.abs(warp(image[np.newaxis], affine)[0].astype(int) - np.asarray(expected).reshape(image.shape))
    assert seen.mean() > 0.5
    assert np.quantile(difference[seen], 0.98) <= 1  # at the very border Pillow has no neighbour to weigh


def test_scaling_makes_what_is_seen_larger_and_moving_is_down_and_right() -> None:
    image = np.zeros((1, 21, 21, 1), np.uint8)
    image[0, 8:13, 8:13] = 255
    assert (warp(image, identity(1).scaled(np.array([2.0]))) > 127).sum() == pytest.approx(100, abs=21)
    moved = warp(image, identity(1).shifted(3, 5))
    np.testing.assert_array_equal(np.argwhere(moved[0, :, :, 0]).min(axis=0), [11, 13])


def test_the_image_of_a_row_does_not_depend_on_the_others() -> None:
    images = np.stack([smooth(12, 9), smooth(12, 9)[::-1], smooth(12, 9)[:, ::-1]])
    angles = np.array([10.0, 170.0, -30.0])
    together = warp(images, identity(3).rotated(angles).scaled(np.array([0.3, 1, 2])))
    for row in range(3):
        affine = identity(1).rotated(angles[row : row + 1]).scaled(np.array([[0.3, 1, 2][row]]))
        np.testing.assert_array_equal(warp(images[row : row + 1], affine)[0], together[row])
