"""Encoding of a text file: UTF-8 or UTF-16 where it is, else the option's, else the most plausible one, reported."""

import codecs
import importlib.util
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tellapart.errors import DatasetError
from tellapart.progress import notify
from tellapart.read_files import open_regular
from tellapart.text import printable

SAMPLE_LINES = 1_000  # with characters beyond ASCII: enough to tell
MAX_LINE = 100_000  # bytes of a line that are examined
WESTERN = "cp1252"
FALLBACK = "latin-1"  # decodes any bytes
WESTERN_LETTERS = re.compile("[\u00a0-\u00ff\u20ac\u0152\u0153\u2013\u2014\u2018\u2019\u2026]")
"""What Western text has beyond ASCII: accented letters, the signs beside them, the euro, dashes, apostrophes."""
MAX_RUN = 1.5  # mean length of runs beyond ASCII: Western accents stand alone, other scripts form words


def text_encoding(path: Path, asked: str | None = None) -> str:
    """Return the encoding of a text file, and report a guess. Raises DatasetError, OSError, ContentError."""
    if asked is not None:
        return _known(asked)
    with open_regular(path) as stream:
        start = stream.read(3)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    lines = list(islice(_beyond_ascii(path), SAMPLE_LINES))
    if start == codecs.BOM_UTF8 or 2 * sum(map(_is_utf8, lines)) >= len(lines):
        return "utf-8-sig"  # a few names that are not text are kept as bytes
    guess = _guess(lines)
    word = next(word for word in lines[0].decode(guess, "replace").split() if not word.isascii())
    notify(f"{path} is not UTF-8: read as {guess}, so that it has {printable(word[-60:])!r}; --encoding names another")
    return guess


def _known(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise DatasetError(f"{name!r} is no encoding of text: expected one such as utf-8, cp1252 or gb18030") from error
    return "utf-8-sig" if codecs.lookup(name).name == "utf-8" else name


def _beyond_ascii(path: Path) -> Iterator[bytes]:
    with open_regular(path) as stream:
        while line := stream.readline(MAX_LINE):
            if not line.isascii():
                yield line


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and len(line) == MAX_LINE  # cut in a character
    return True


def _guess(lines: list[bytes]) -> str:
    """Guess a legacy encoding. A library that knows languages errs on short Western words, so these come first."""
    sample = b"".join(dict.fromkeys(lines))
    try:
        western = sample.decode(WESTERN)
    except UnicodeDecodeError:
        return _by_library(sample) or FALLBACK
    runs = re.findall(r"[^\x00-\x7f]+", western)
    beyond = "".join(runs)
    if len(beyond) < MAX_RUN * len(runs) and all(map(WESTERN_LETTERS.fullmatch, beyond)):
        return WESTERN
    return _by_library(sample) or WESTERN


def _by_library(sample: bytes) -> str | None:
    """Ask charset-normalizer, which many packages bring along; None where it is not installed, or does not know."""
    if importlib.util.find_spec("charset_normalizer") is None:
        return None
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return None if best is None else best.encoding
