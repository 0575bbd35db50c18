"""Ticks of axes: few, at round numbers, and with as many digits as make every two of them differ."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

MOST = 6  # ticks: a phone has room for as many
ROOM = 0.04  # of an axis, on either side of its values
NARROWEST = 1e-6  # of an axis; equal values have one too
STEPS = (1, 2, 5, 10)
FINE_DECADES, ALL_DECADES = 1.7, 6.5  # up to which a logarithmic axis has ticks at 1, 2 and 5, and at every power of 10

Part = dict[str, Any]


def share_ticks(low: float, high: float, *, percent: bool) -> Part:
    """Place ticks on an axis of shares from `low` to `high`, in percent or as numbers."""
    step = _step(low, high)
    digits = max(0, -_decade(step) - (2 if percent else 0))
    return {"tick0": 0, "dtick": step, "tickformat": f".{digits}{'%' if percent else 'f'}"}


def span(values: Iterable[float | None], *, least: float = -math.inf, most: float = math.inf) -> tuple[float, float]:
    """Return the ends of an axis that shows these numbers, with room at both; from 0 to 1 where there is none.

    An end is at most `most` and at least `least`, but for the room for a point there.
    """
    numbers = [value for value in values if value is not None]
    if not numbers:
        return 0.0, 1.0
    low, high = min(numbers), max(numbers)
    room = max((high - low) * ROOM, NARROWEST, (high == low) * 0.01)
    return max(low - room, least - room / 2), min(high + room, most + room / 2)


def epoch_ticks(epochs: int) -> Part:
    """Place ticks at whole epochs, from 1."""
    step = max(1, round(_step(0, epochs)))
    return {"tickformat": "d", "range": [0.5, epochs + 0.5], "dtick": step, "tick0": step if step > 1 else 1}


def log_ticks(values: Sequence[float]) -> Part:
    """Place ticks on a logarithmic axis of these positive numbers, at powers of 10, and where there are few, between.

    Ticks are written as a person types such numbers: 0.05, 200, 1e-5.
    """
    numbers = list(_around(min(values), max(values)))
    ends = [math.log10(numbers[0]), math.log10(numbers[-1])]
    powers = [number for number in numbers if f"{number:e}".startswith("1.0")]
    decades = ends[1] - ends[0]
    ticks = numbers if decades <= FINE_DECADES or len(powers) < 2 else powers
    if decades > ALL_DECADES:
        every = 2 if decades <= 2 * ALL_DECADES else 5
        ticks = [number for number in powers if round(math.log10(number)) % every == 0]
    room = ROOM * decades
    return {
        "type": "log",
        "range": [ends[0] - room, ends[1] + room],
        "tickvals": ticks,
        "ticktext": [typed(number) for number in ticks],
    }


def typed(number: float) -> str:
    """Write a number as a person types it: 0.001, 20, 1e-5."""
    if 1e-3 <= abs(number) < 1e5:
        return f"{number:.6f}".rstrip("0").rstrip(".")
    mantissa, _, exponent = f"{number:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def _around(low: float, high: float) -> Iterator[float]:
    """Yield the numbers 1, 2 and 5 times powers of 10 from the last up to `low` to the first from `high` on."""
    grid = [float(f"{step}e{decade}") for decade in range(_decade(low) - 1, _decade(high) + 2) for step in STEPS[:3]]
    first = max(number for number in grid if number <= low * (1 + 1e-9))
    last = min(number for number in grid if number >= high * (1 - 1e-9) and number > first)
    yield from (number for number in grid if first <= number <= last)


def _step(low: float, high: float) -> float:
    """Return the smallest step, 1, 2 or 5 times a power of 10, with at most `MOST` steps between the two ends."""
    least = max(high - low, NARROWEST) / MOST
    return next(step for factor in STEPS if (step := float(f"{factor}e{_decade(least)}")) >= least * (1 - 1e-9))


def _decade(number: float) -> int:
    return math.floor(math.log10(number))
