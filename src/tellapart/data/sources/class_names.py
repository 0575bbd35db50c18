"""Class names as folders and tables spell them: normalised, and checked for mistakes."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence

from tellapart.errors import DatasetError, did_you_mean

JOINERS = "\u200c\u200d"  # zero-width, but they change how words are shown, in Persian and Hindi for example


def canonical(name: str) -> str:
    """Normalise a name: Unicode's composed form (NFC), without white space at the ends."""
    return unicodedata.normalize("NFC", name.strip())


def require_printable(names: Iterable[str], template: str) -> None:
    """Refuse names with line breaks, control characters or undecodable bytes. Raises DatasetError.

    `template` describes a name in the error, with {} in its place.
    """
    for name in names:
        if not all(map(_is_printable, name)):
            before, _, after = template.partition("{}")
            raise DatasetError(f"{before}{name!r}{after} has a name that cannot be printed (not UTF-8?): rename it")


def _is_printable(char: str) -> bool:
    return char.isprintable() or char in JOINERS or unicodedata.category(char) == "Zs"


def require_distinct_case(names: Iterable[str], where: str) -> None:
    """Refuse names that differ in case alone, which is mostly a typing error. Raises DatasetError."""
    first: dict[str, str] = {}
    for name in sorted(names):
        # Single letters are exempt: handwritten A and a are two classes.
        other = first.setdefault(name.lower() if len(name) > 1 else name, name)
        if other != name:
            raise DatasetError(
                f"{where} has the classes {other!r} and {name!r}, which differ in case alone: give both one spelling, "
                f"or leave one out with --exclude-label"
            )


def require_two_classes(names: Sequence[str], where: str, advice: str, *, kind: str = "class") -> None:
    """Refuse fewer than two classes. Raises DatasetError."""
    if len(names) < 2:
        count = f"has one {kind}, {names[0]!r}" if names else f"has no {kind} left"
        raise DatasetError(f"{where} {count}: telling apart needs at least two. {advice}")


def parse_excluded(entries: Sequence[str], names: Collection[str], where: str) -> set[str]:
    """Parse the classes to exclude: each entry is one name, or several separated by commas.

    Raises DatasetError for a name that is not in `names`.
    """
    words = [word for entry in entries for word in ([entry] if canonical(entry) in names else entry.split(","))]
    wanted = {canonical(word) for word in words} - {""}
    for name in sorted(wanted - set(names)):
        raise DatasetError(f"{where} has no class {name!r} to exclude: {did_you_mean(name, names)}")
    return wanted
