"""Names and numbers in sentences: short, and with nothing in them that a terminal obeys."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.text import counted, joined, printable, printable_lines


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
