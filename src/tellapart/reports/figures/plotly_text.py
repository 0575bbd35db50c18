"""Names and numbers as text that Plotly draws verbatim, where it would otherwise read markup or formulas."""

import math
import textwrap
import unicodedata

from tellapart.judging.intervals import Estimate
from tellapart.text import JOINERS

ENTITIES = str.maketrans({char: f"&#{ord(char)};" for char in "&<>$%"})
"""The characters with a meaning in Plotly's texts, as entities that it draws as the characters."""
ISOLATE, END_ISOLATE = "\u2068", "\u2069"  # keep right-to-left text from reordering what is around it
MAX_SHORT = 18  # characters of a name beside an axis
LINE_WIDTH, MAX_LINES = 36, 6  # characters and lines of a name in a hover label: it fits a phone


def plotly_safe(name: str) -> str:
    """Escape a name so that Plotly draws it as it is; characters that do not print become spaces."""
    visible = "".join(char if char.isprintable() or char in JOINERS else " " for char in name).strip()
    right_to_left = any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in visible)
    escaped = visible.translate(ENTITIES)
    return f"{ISOLATE}{escaped}{END_ISOLATE}" if right_to_left else escaped


def shortened(name: str, most: int = MAX_SHORT) -> str:
    """Shorten a name to `most` characters; both ends of a long one are kept, since names often share a beginning."""
    if len(name) <= most:
        return plotly_safe(name)
    end = (most - 1) // 3
    return plotly_safe(f"{name[: most - 1 - end]}…{name[-end:]}")


def wrapped(name: str) -> str:
    """Wrap a name into lines that fit a phone; beyond 200 characters its middle is left out."""
    lines = textwrap.wrap(name if len(name) <= LINE_WIDTH * MAX_LINES else f"{name[:150]} … {name[-50:]}", LINE_WIDTH)
    return "<br>".join(map(plotly_safe, lines))


def finite(value: float | None) -> float | None:
    """Return a number, or None where it is not finite, such as a diverged loss: JSON has no NaN."""
    return float(value) if value is not None and math.isfinite(value) else None


def with_interval(estimate: Estimate, *, percent: bool = False) -> str:
    """Format an estimate as `0.853 (95 % interval 0.801 to 0.902)`, or in percent."""
    form = ".1%" if percent else ".3f"
    return f"{estimate.value:{form}} (95 % interval {estimate.low:{form}} to {estimate.high:{form}})"
