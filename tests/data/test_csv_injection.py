"""No cell is a formula to a spreadsheet, and every text is read back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.csv_injection import escape_formula, unescape_formula

SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "－")


@given(st.text(alphabet="' =+-@\t\r\na1＝", max_size=6) | st.text(max_size=20))
def test_what_is_guarded_is_no_formula_and_read_back_as_it_was(text: str) -> None:
    assert not escape_formula(text).lstrip(" ").startswith(SIGNS)
    assert unescape_formula(escape_formula(text)) == text


@pytest.mark.parametrize("text", ["", "cat", "'90s", "a=b", "../x.jpg", "''", "1-2"])
def test_other_texts_stay_as_they_are_both_ways(text: str) -> None:
    assert escape_formula(text) == unescape_formula(text) == text
