"""Names and numbers in sentences: bounded, without what could move a terminal's cursor, and not rounded to nothing."""

import unicodedata
from collections.abc import Sequence

MAX_NAMES = 5  # of a list; the others are counted
TOO_FEW = "too few images for an interval"
SAME = "the same for every image"
MANY = 30  # images: with so many, an interval without a width is not for lack of them
MAX_MORE_DIGITS = 6  # than a format asks for, until the ends of an interval differ
JOINERS = "\u200c\u200d"  # part of words in some scripts, and of emoji


def printable(name: str) -> str:
    """Escape the characters of a name that do not print: controls, directions, undecodable bytes."""
    return "".join(char if _prints(char) else char.encode("unicode_escape").decode("ascii") for char in name)


def printable_lines(text: str) -> str:
    """Escape the characters of a message that do not print, but keep its lines."""
    return "\n".join(map(printable, text.split("\n")))


def _prints(char: str) -> bool:
    return char.isprintable() or char in JOINERS or unicodedata.category(char) == "Zs"


def joined(names: Sequence[str], most: int = MAX_NAMES) -> str:
    """Join names as `a, b and c`, or a longer list as `a, b, c, d, e and 12 more`."""
    last = f"{len(names) - most:,} more" if len(names) > most else printable(names[-1])
    before = names[:most] if len(names) > most else names[:-1]
    return f"{', '.join(map(printable, before))} and {last}" if before else last


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """Format a count with its noun, `1 image` or `1,200 images`; `plural` where it is not `singular` with an s."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def percent(share: float, digits: int = 1) -> str:
    """Format a share of 1 as `12.5%`; one above 0 is never `0.0%`, and one below 1 never `100.0%`."""
    shown, least = round(100 * share, digits), 10.0**-digits
    if 0 < share < 1 and shown == 0:
        return f"<{least:.{digits}f}%"
    if 0 < share < 1 and shown == 100:
        return f">{100 - least:.{digits}f}%"
    return f"{share:.{digits}%}"


def value_text(value: float, form: str) -> str:
    """Format a value by a form such as `.1%` or `.3f`; a share is not rounded to none or all, as in `percent`."""
    return percent(value, int(form[1:-1])) if form.endswith("%") else signed(value, form)


def signed(number: float, form: str) -> str:
    """Format a number; one that rounds to 0 has no sign."""
    text = format(number, form)
    return text if any(digit in text for digit in "123456789") else text.lstrip("+-")


def points(difference: float, form: str = "+.1f") -> str:
    """Format a difference of two shares as `+2.5 points`: percent could be meant of the first share."""
    return f"{signed(100 * difference, form)} points"


def low_to_high(low: float, high: float, form: str, *, n: int = 0) -> str:
    """Format an interval as `80.1% to 90.2%`, with as many digits, by a form such as `.1%`, as make its ends differ.

    One without a width comes from resampling where nothing could vary, such as one image of each class; `n` is the
    number of images, if it is known.
    """
    lead, digits, kind = form.partition(".")[0], int(form.partition(".")[2][:-1]), form[-1]
    for more in range(MAX_MORE_DIGITS):
        first, last = (signed(end, f"{lead}.{digits + more}{kind}") for end in (low, high))
        if first != last:
            return f"{first} to {last}"
    return TOO_FEW if n < MANY else SAME


def point_interval(low: float, high: float) -> str:
    """Format the interval of a difference of two shares as `+0.5 to +4.5 points`."""
    text = low_to_high(100 * low, 100 * high, "+.1f")
    return text if text == TOO_FEW else f"{text} points"
