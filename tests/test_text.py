"""Names and numbers in sentences: short, and with nothing in them that a terminal obeys."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.text import (
    TOO_FEW,
    counted,
    joined,
    low_to_high,
    percent,
    point_interval,
    points,
    printable,
    printable_lines,
    signed,
)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d", "e"], "a, b, c, d and e"),
        (["a"] * 1_205, "a, a, a, a, a and 1,200 more"),
        (["two\nlines"], "two\\nlines"),
    ],
)
def test_lists(names: list[str], told: str) -> None:
    assert joined(names) == told


def test_counts() -> None:
    assert (counted(1, "image"), counted(0, "image"), counted(1_200, "image")) == (
        "1 image",
        "0 images",
        "1,200 images",
    )
    assert counted(2, "class", "classes") == "2 classes"


@pytest.mark.parametrize("name", ["cat", "Hauskatze, grau", "猫", "قط", "می\u200cخواهم", "a\u3000b", "👩\u200d🌾"])
def test_names_of_any_script_stay(name: str) -> None:
    assert printable(name) == name


@given(st.binary().map(os.fsdecode))
def test_nothing_moves_the_cursor_or_the_direction(name: str) -> None:
    assert not set(printable(name + "\x1b[2J\u202e\x07\r\n\ud800")) & set("\x1b\u202e\x07\r\n\ud800")
    printable(name).encode()  # no half of a surrogate is left


def test_a_message_keeps_its_lines_and_loses_what_moves_a_cursor() -> None:
    assert printable_lines("a\x1b[2J\nb\ud800\r") == "a\\x1b[2J\nb\\ud800\\r"


@given(st.integers(1, 10_000), st.data(), st.integers(0, 2))
def test_a_share_is_none_or_all_only_where_it_is(n: int, data: st.DataObject, digits: int) -> None:
    count = data.draw(st.integers(0, n))
    text = percent(count / n, digits)
    shown = float(text.strip("<>%"))
    assert ((shown == 0), (shown == 100)) == (count == 0, count == n)
    assert abs(shown - 100 * count / n) <= 10.0**-digits


@given(st.floats(-1, 1), st.floats(-1, 1), st.sampled_from([".1%", ".3f", "+.1f", ".0%"]))
def test_the_ends_of_an_interval_differ_where_it_has_a_width(first: float, second: float, form: str) -> None:
    low, high = sorted((first, second))
    text = low_to_high(low, high, form)
    assert "-0.0 " not in f"{text} "
    if high - low > 1e-6:
        assert len(set(text.split(" to "))) == 2
    if low == high:
        assert text == TOO_FEW


def test_differences_of_shares_are_points() -> None:
    assert (points(0.0249), points(-0.0249), points(-0.0004)) == ("+2.5 points", "-2.5 points", "0.0 points")
    assert point_interval(-0.01, 0.0005) == "-1.0 to +0.1 points"
    assert point_interval(0.1, 0.1) == TOO_FEW
    assert (signed(-0.04, "+.1f"), signed(-0.06, "+.1f"), signed(0.04, ".1f")) == ("0.0", "-0.1", "0.0")


def test_many_images_that_agree_are_not_too_few() -> None:
    assert low_to_high(0.0, 0.0, "+.3f", n=400) == "the same for every image"
    assert low_to_high(0.0, 0.0, "+.3f", n=4) == TOO_FEW
