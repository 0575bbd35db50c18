"""Sixteen bits and transparency: what is black, what is white, and what lies behind clear pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from tellapart.data.decoding.conversion import CHECKER, Alpha, Conversion, parse_range
from tellapart.data.decoding.decode import decode, read_wide
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import RecipeError


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def twelve_bits() -> np.ndarray:
    return np.arange(4096, dtype=np.uint16).reshape(64, 64)


def icon(colour: tuple[int, int, int] = (255, 255, 255)) -> bytes:
    """Draw a square of one colour on a clear background of the same colour, 40 x 40 of 80 x 80."""
    image = Image.new("RGBA", (80, 80), (*colour, 0))
    image.paste((*colour, 255), (20, 20, 60, 60))
    return png(image)


def test_twelve_bits_are_stretched_over_eight() -> None:
    content = png(Image.fromarray(twelve_bits()))
    assert decode(content).max() == 15  # the high byte, as before there was a range
    found = decode(content, conversion=Conversion((0, 4095)))[:, :, 0]
    np.testing.assert_array_equal(found, np.rint(twelve_bits() * (255 / 4095)))


def test_values_beyond_the_range_are_black_and_white() -> None:
    wide = np.array([[0, 1000, 1500, 2000, 65535]], np.uint16)
    assert Conversion((1000, 2000)).narrow(wide).tolist() == [[0, 0, 128, 255, 255]]


def test_a_range_of_eight_bits_changes_nothing() -> None:
    wide = np.arange(256, dtype=np.uint16).reshape(16, 16)
    np.testing.assert_array_equal(Conversion((0, 255)).narrow(wide), wide)


def test_wide_values_are_read_as_they_are_stored() -> None:
    wide = read_wide(png(Image.fromarray(twelve_bits())))
    assert wide is not None
    np.testing.assert_array_equal(wide, twelve_bits())
    assert read_wide(png(Image.new("L", (3, 3)))) is None
    assert read_wide(icon()) is None


@pytest.mark.parametrize(("alpha", "background"), [("white", 255), ("black", 0), ("mean", 128)])
def test_clear_pixels_show_the_background(alpha: Alpha, background: int) -> None:
    image = decode(icon(), conversion=Conversion(alpha=alpha))
    assert image.shape == (80, 80, 3)
    assert image[0, 0].tolist() == [background] * 3
    assert image[40, 40].tolist() == [255] * 3


def test_a_checker_differs_from_white_and_from_black() -> None:
    for colour in ((255, 255, 255), (0, 0, 0)):
        image = decode(icon(colour), conversion=Conversion(alpha="checker"))
        assert {*np.unique(image)} == {*CHECKER, colour[0]}
    assert image[0, [0, 9, 10, 19, 20], 0].tolist() == [CHECKER[i] for i in (0, 0, 1, 1, 0)]  # squares of 10 pixels


@pytest.mark.parametrize("alpha", ["checker", "mean"])
def test_a_large_image_is_laid_on_the_same_background(alpha: Alpha, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large images are converted in strips, which must not start the pattern again."""
    whole = decode(icon(), conversion=Conversion(alpha=alpha))
    monkeypatch.setattr("tellapart.data.decoding.pixel_rows.STRIP_PIXELS", 80 * 7)
    np.testing.assert_array_equal(decode(icon(), conversion=Conversion(alpha=alpha)), whole)


def test_a_bundle_keeps_both() -> None:
    kept = Preprocessing(4, 4, 1, range=(0, 4095), alpha="black")
    assert kept.as_json() == {
        "height": 4, "width": 4, "channels": 1, "fit": "crop", "range": (0, 4095), "alpha": "black"
    }  # fmt: skip
    assert Preprocessing(**{**kept.as_json(), "range": [0, 4095]}) == kept
    assert kept.of_bytes(png(Image.fromarray(np.full((4, 4), 4095, np.uint16)))).min() == 255


@pytest.mark.parametrize("text", ["", "4095", "0-4095", "9:9", "10:9", "0:65536", "-1:5", "0:1e3", "٠:٩"])
def test_a_range_is_two_numbers(text: str) -> None:
    with pytest.raises(RecipeError, match="expected the stored values that are to be black and white, such as 0:4095"):
        parse_range(text)
