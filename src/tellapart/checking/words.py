"""Numbers and names as a sentence shows them: never longer than a few lines, nothing in them that moves a cursor."""

import unicodedata
from collections.abc import Sequence

NAMED = 5  # of a list; the others are counted
JOINERS = "\u200c\u200d"  # they belong to words of some scripts and to emoji


def shown(name: str) -> str:
    """A name as it is, but signs that do not print (control, direction, bytes that are no text) are escaped."""
    return "".join(sign if _prints(sign) else sign.encode("unicode_escape").decode("ascii") for sign in name)


def _prints(sign: str) -> bool:
    return sign.isprintable() or sign in JOINERS or unicodedata.category(sign) == "Zs"


def listed(names: Sequence[str], most: int = NAMED) -> str:
    """`a, b and c`, or, of a longer list, `a, b, c, d, e and 12 more`."""
    last = f"{len(names) - most:,} more" if len(names) > most else shown(names[-1])
    before = names[:most] if len(names) > most else names[:-1]
    return f"{', '.join(map(shown, before))} and {last}" if before else last


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 image` or `1,200 images`; `many` where it is not `one` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
