"""`--max-pixels`, which every command that reads image files takes. `serve` has an option of that name of its own."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tellapart.data.decoding.decode_limits import MAX_PIXELS
from tellapart.errors import TellapartError

OPTION = "--max-pixels"
COMMANDS = frozenset(
    (
        "check", "split", "show", "augment", "train", "sweep", "search", "lr-find", "features", "import", "evaluate",
        "cross-validate", "compare", "report", "explain", "calibrate", "predict", "export", "imagenet",
    )
)  # fmt: skip
HELP = (
    f"{OPTION} N reads images of up to N pixels instead of 200 million (200e6). Name it "
    f"again in later commands, or set {MAX_PIXELS}."
)


@contextmanager
def max_pixels_set(words: Sequence[str]) -> Iterator[list[str]]:
    """Take the option from the words of a command line, and set it for this block. Raises TellapartError.

    It is set in the environment, so that the processes and jobs which a command starts have it too.
    """
    rest, value = _taken(words)
    before = os.environ.get(MAX_PIXELS)
    if value is not None:
        os.environ[MAX_PIXELS] = str(_pixels(value))
    try:
        yield rest
    finally:
        if before is not None:
            os.environ[MAX_PIXELS] = before
        elif value is not None:
            del os.environ[MAX_PIXELS]


def _taken(words: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the words without the option, and its last value."""
    if not words or words[0] not in COMMANDS:
        return [*words], None
    rest: list[str] = []
    value = None
    left = iter(words)
    for word in left:
        name, equals, text = word.partition("=")
        if name == OPTION:
            value = text if equals else next(left, "")
        else:
            rest.append(word)
    return rest, value


def _pixels(value: str) -> int:
    try:
        pixels = float(value)
    except ValueError:
        pixels = 0.0
    if not 1 <= pixels <= 2**31 or pixels != int(pixels):
        raise TellapartError(f"{OPTION} is {value!r}; expected a number of pixels, 1 to 2e9: {OPTION} 300e6")
    return int(pixels)
