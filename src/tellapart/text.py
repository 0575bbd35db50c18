"""Names and counts in sentences: bounded in length, and without characters that could move a terminal's cursor."""

import unicodedata
from collections.abc import Sequence

MAX_NAMES = 5  # of a list; the others are counted
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
