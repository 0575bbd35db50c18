"""The names of classes, as folders and tables spell them: one spelling each, and none that is two by mistake."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence

from tellapart.errors import DatasetError, did_you_mean

JOINERS = "\u200c\u200d"  # within words of Persian or Hindi, for two: they show nothing and change what is shown


def canonical(name: str) -> str:
    """One spelling for what looks the same: Unicode's composed form (NFC), without white space at the ends."""
    return unicodedata.normalize("NFC", name.strip())


def require_printable(names: Iterable[str], called: str) -> None:
    """Refuse names with line breaks, control characters or bytes that are no text. Raises DatasetError.

    `called` has {} in place of the name.
    """
    for name in names:
        if not all(map(_can_be_shown, name)):
            what, _, where = called.partition("{}")
            raise DatasetError(f"{what}{name!r}{where} has a name that cannot be printed (not UTF-8?): rename it")


def _can_be_shown(sign: str) -> bool:
    return sign.isprintable() or sign in JOINERS or unicodedata.category(sign) == "Zs"


def require_distinct_case(names: Iterable[str], where: str) -> None:
    """Refuse names that differ in case alone, which is a slip of the pen more often than not. Raises DatasetError."""
    first: dict[str, str] = {}
    for name in sorted(names):
        # Of single letters it is none: handwritten A and a are two classes.
        other = first.setdefault(name.lower() if len(name) > 1 else name, name)
        if other != name:
            raise DatasetError(
                f"{where} has the classes {other!r} and {name!r}, which differ in case alone: give both one spelling, "
                f"or leave one out with --exclude-label"
            )


def require_two_classes(names: Sequence[str], where: str, advice: str, *, kind: str = "class") -> None:
    """Refuse fewer than two classes. Raises DatasetError."""
    if len(names) < 2:
        found = f"has one {kind}, {names[0]!r}" if names else f"has no {kind} left"
        raise DatasetError(f"{where} {found}: telling apart needs at least two. {advice}")


def parse_excluded(asked: Sequence[str], names: Collection[str], where: str) -> set[str]:
    """Which of the names a person wants left out: each entry is one of them, or several with commas between.

    Raises DatasetError when one is not there.
    """
    words = [word for entry in asked for word in ([entry] if canonical(entry) in names else entry.split(","))]
    wanted = {canonical(word) for word in words} - {""}
    for name in sorted(wanted - set(names)):
        raise DatasetError(f"{where} has no class {name!r} to exclude: {did_you_mean(name, names)}")
    return wanted
