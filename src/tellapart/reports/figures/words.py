"""Names and numbers as a figure shows them. Plotly takes some signs for markup or formulas: in names they are none."""

import math
import textwrap
import unicodedata

from tellapart.judging.intervals import Estimate

MEANT = str.maketrans({sign: f"&#{ord(sign)};" for sign in "&<>$%"})
"""The signs that begin something in Plotly's texts, as entities that it draws as the signs."""
JOINERS = "\u200c\u200d"  # they belong to words of some scripts and to emoji
ISOLATE, ISOLATED = "\u2068", "\u2069"  # what stands between does not turn round what stands beside it
SHORT = 18  # characters of a name beside an axis
WIDE, LINES = 36, 6  # characters and lines of a name that is shown whole: a label that fits a phone


def plain(name: str) -> str:
    """A name that Plotly draws as it is; signs that cannot be seen become spaces."""
    seen = "".join(sign if sign.isprintable() or sign in JOINERS else " " for sign in name).strip()
    turned = any(unicodedata.bidirectional(sign) in ("R", "AL", "AN") for sign in seen)
    safe = seen.translate(MEANT)
    return f"{ISOLATE}{safe}{ISOLATED}" if turned else safe


def short(name: str, most: int = SHORT) -> str:
    """A name of at most so many characters: both ends of a longer one, since names often begin alike."""
    if len(name) <= most:
        return plain(name)
    end = (most - 1) // 3
    return plain(f"{name[: most - 1 - end]}…{name[-end:]}")


def whole(name: str) -> str:
    """A name in lines that fit a phone, its middle left out beyond 200 characters."""
    lines = textwrap.wrap(name if len(name) <= WIDE * LINES else f"{name[:150]} … {name[-50:]}", WIDE)
    return "<br>".join(map(plain, lines))


def finite(value: float | None) -> float | None:
    """A number for a figure: one that is none, such as a diverged loss, is left out."""
    return float(value) if value is not None and math.isfinite(value) else None


def with_interval(estimate: Estimate, *, percent: bool = False) -> str:
    """`0.853 (95 % interval 0.801 to 0.902)`, or the three in percent."""
    form = ".1%" if percent else ".3f"
    return f"{estimate.value:{form}} (95 % interval {estimate.low:{form}} to {estimate.high:{form}})"


def images(n: int) -> str:
    """`1 image`, `2,000 images`."""
    return f"{n:,} image{'' if n == 1 else 's'}"
