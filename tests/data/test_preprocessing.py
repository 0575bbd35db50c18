"""Geometry: any image comes out at the one size asked for, antialiased, in the channels asked for."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.preprocessing import Fit, Preprocessing
from tellapart.errors import ImageError

FITS: tuple[Fit, ...] = get_args(Fit)
WHITE = 255


def ramp(height: int, width: int) -> ImageArray:
    """Black at the left, white at the right: uint8 (height, width, 1)."""
    row = np.linspace(0, WHITE, width).astype(np.uint8)
    return np.tile(row[:, np.newaxis], (height, 1, 1))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(1, 1), (30, 20), (20, 30), (1, 10_000), (10_000, 1), (500, 500)])
def test_any_shape_comes_out_at_the_size_asked_for(fit: Fit, channels: int, shape: tuple[int, int]) -> None:
    for given_channels in (1, 3):
        out = Preprocessing(50, 70, channels, fit)(np.full((*shape, given_channels), 9, dtype=np.uint8))
        assert out.shape == (50, 70, channels)
        assert out.dtype == np.uint8
        assert set(np.unique(out)) <= ({0, 9} if fit == "pad" else {9})


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_image_that_fits_already_is_not_changed(fit: Fit, channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, size=(20, 30, channels), dtype=np.uint8)
    np.testing.assert_array_equal(Preprocessing(20, 30, channels, fit)(image), image)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(32, 32), (150, 150), (151, 149)])
def test_a_checkerboard_averages_to_grey(fit: Fit, size: tuple[int, int]) -> None:
    board = (np.indices((1024, 1024)).sum(axis=0) % 2 * WHITE).astype(np.uint8)[:, :, np.newaxis]
    out = Preprocessing(*size, 1, fit)(board)
    inside = out[1:-1, 1:-1] if fit == "pad" else out
    assert inside.min() >= 100  # picking single pixels would leave some at 0
    assert inside.max() <= 155


def test_stretch_keeps_all_of_the_image() -> None:
    out = Preprocessing(20, 20, 1, "stretch")(ramp(30, 90))
    assert out[:, 0].max() < 10
    assert out[:, -1].min() > 245


def test_crop_keeps_the_middle() -> None:
    wide, tall = ramp(30, 90), ramp(30, 90).transpose(1, 0, 2)
    for out in (Preprocessing(30, 30, 1, "crop")(wide), Preprocessing(30, 30, 1, "crop")(tall)[:, :, 0].T):
        np.testing.assert_array_equal(np.squeeze(out), wide[:, 30:60, 0])


def test_pad_keeps_proportions_between_black_borders() -> None:
    white = np.full((30, 90, 3), WHITE, dtype=np.uint8)
    out = Preprocessing(60, 60, 3, "pad")(white)
    assert (out[:20] == 0).all()
    assert (out[20:40] == WHITE).all()
    assert (out[40:] == 0).all()
    np.testing.assert_array_equal(Preprocessing(60, 60, 3, "pad")(white.transpose(1, 0, 2)), out.transpose(1, 0, 2))


def test_grey_to_rgb_and_back_is_the_same_grey() -> None:
    grey = ramp(8, 256)
    colour = Preprocessing(8, 256, 3)(grey)
    np.testing.assert_array_equal(colour, np.repeat(grey, 3, axis=2))
    np.testing.assert_array_equal(Preprocessing(8, 256, 1)(colour), grey)


def test_colour_to_grey_is_its_luma() -> None:
    # ITU-R BT.601: 0.299 red, 0.587 green, 0.114 blue
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8)
    assert Preprocessing(1, 3, 1)(colours)[0, :, 0].tolist() == pytest.approx([76, 150, 29], abs=1)


def test_a_view_into_a_larger_array_is_read_rightly() -> None:
    large = np.random.default_rng(0).integers(0, 256, size=(40, 60, 3), dtype=np.uint8)
    view = large[::-2, 10:50]
    to_size = Preprocessing(10, 15, 3)
    np.testing.assert_array_equal(to_size(view), to_size(np.ascontiguousarray(view)))


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3)])
def test_an_empty_image_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ImageError, match="the image is empty: its shape is"):
        Preprocessing(10, 10, 3)(np.zeros(shape, dtype=np.uint8))


sizes = st.integers(1, 300)


@settings(max_examples=300, deadline=None)
@given(sizes, sizes, sizes, sizes, st.sampled_from(FITS))
def test_any_size_to_any_size(height: int, width: int, to_height: int, to_width: int, fit: Fit) -> None:
    image = np.full((height, width, 1), 200, dtype=np.uint8)
    out = Preprocessing(to_height, to_width, 1, fit)(image)
    assert out.shape == (to_height, to_width, 1)
    assert out.max() == 200


def test_a_later_field_is_named_only_where_it_is_used() -> None:
    """The text seeds augmented views, and the dictionary is in cache keys and bundles: both stay as they were."""
    plain, keras = Preprocessing(4, 5, 3), Preprocessing(4, 5, 3, resize="keras-nearest")
    assert repr(plain) == "Preprocessing(height=4, width=5, channels=3, fit='crop')"
    assert plain.as_json() == {"height": 4, "width": 5, "channels": 3, "fit": "crop"}
    assert keras.as_json() == {**plain.as_json(), "resize": "keras-nearest"}
    assert Preprocessing(**keras.as_json()) == keras
    assert repr(plain) != repr(keras)
