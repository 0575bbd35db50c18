"""Ray's own words, kept away from the person's terminal: most come from C++, which knows no other switch."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def aside(log: Path) -> Iterator[None]:
    """While the block lasts, what is written to standard error below Python goes to `log`, by child processes too.

    What Python writes there stays the person's.
    """
    shown, person = sys.stderr, os.dup(2)
    with log.open("ab") as stream, os.fdopen(person, "w", buffering=1, errors="backslashreplace") as ours:
        shown.flush()
        os.dup2(stream.fileno(), 2)
        if _is_standard_error(shown):
            sys.stderr = ours
        try:
            yield
        finally:
            sys.stderr = shown
            ours.flush()
            os.dup2(person, 2)


def _is_standard_error(stream: TextIO) -> bool:
    """Not where someone put another stream in its place, as a notebook does."""
    try:
        return stream.fileno() == 2
    except (AttributeError, OSError, ValueError):
        return False
