"""Input sizes: one number, or height x width."""

import pytest

from tellapart.data.image_size import Size, checked_size, parse_size, sides_of, size_text
from tellapart.errors import RecipeError


@pytest.mark.parametrize(
    ("text", "size", "sides", "shown"),
    [
        ("64", 64, (64, 64), "64"),
        ("64x256", "64x256", (64, 256), "64 x 256"),
        ("64X256", "64x256", (64, 256), "64 x 256"),
        ("256x064", "256x64", (256, 64), "256 x 64"),
        ("64x64", 64, (64, 64), "64"),
    ],
)
def test_a_size_is_one_number_or_height_by_width(text: str, size: Size, sides: tuple[int, int], shown: str) -> None:
    assert parse_size(text) == size
    assert checked_size(size, 4, 4096) == size
    assert sides_of(size) == sides
    assert size_text(size) == shown


@pytest.mark.parametrize(
    "text", ["64*256", "64x", "x64", "64x256x3", "64,256", "1.5x4", "-4x8", "", "big", "9" * 6 + "x4"]
)
def test_other_spellings_are_refused_with_the_right_ones(text: str) -> None:
    with pytest.raises(RecipeError, match="expected a side in pixels such as 64, or height x width such as 64x256"):
        parse_size(text)


@pytest.mark.parametrize("size", ["0x20", "3x64", "64x4097", "99999X8"])
def test_both_sides_are_within_bounds(size: str) -> None:
    with pytest.raises(RecipeError, match=f"size is {size.lower()}; expected 4 to 4096 for height and for width"):
        checked_size(size, 4, 4096)
