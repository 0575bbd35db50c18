"""Ticks: few, no two with the same text, and inside an axis that holds its values."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tellapart.reports.figures.ticks import epoch_ticks, log_ticks, share_ticks, span, typed

POSITIVE = st.floats(1e-9, 1e6)


def written(axis: dict[str, Any], low: float, high: float) -> list[str]:
    """Return the ticks of a linear axis as Plotly writes them."""
    first, last = (math.floor(end / axis["dtick"] + 1e-6) for end in (low, high))
    multiples = [number * axis["dtick"] for number in range(first, last + 1) if number * axis["dtick"] >= low - 1e-9]
    return [format(number, axis["tickformat"]) for number in multiples]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.booleans())
def test_no_two_ticks_of_shares_are_the_same(values: list[float], percent: bool) -> None:
    low, high = span(values, least=0.0, most=1.0)
    assert low < min(values) <= max(values) < high
    ticks = written(share_ticks(low, high, percent=percent), low, high)
    assert len(set(ticks)) == len(ticks)
    assert 2 <= len(ticks) <= 8


@given(st.lists(POSITIVE, min_size=1, max_size=5))
def test_no_two_ticks_of_a_logarithmic_axis_are_the_same(values: list[float]) -> None:
    axis = log_ticks(values)
    low, high = axis["range"]
    assert low <= math.log10(min(values)) <= math.log10(max(values)) <= high
    assert all(low <= math.log10(tick) <= high for tick in axis["tickvals"])
    assert len(set(axis["ticktext"])) == len(axis["ticktext"])
    assert 2 <= len(axis["ticktext"]) <= 9
    assert [float(text) for text in axis["ticktext"]] == axis["tickvals"]


@given(st.integers(1, 2_000))
def test_epochs_are_whole(epochs: int) -> None:
    axis = epoch_ticks(epochs)
    assert axis["dtick"] == int(axis["dtick"]) >= 1
    assert epochs / axis["dtick"] <= 6 or epochs <= 6


def test_numbers_are_written_as_they_are_typed() -> None:
    assert [typed(number) for number in (0.05, 200.0, 1e-5, 2.5e-5, 1.0, 1e6)] == [
        "0.05",
        "200",
        "1e-5",
        "2.5e-5",
        "1",
        "1e6",
    ]


def test_axes_without_values_are_from_0_to_1() -> None:
    assert span([None]) == (0.0, 1.0)
