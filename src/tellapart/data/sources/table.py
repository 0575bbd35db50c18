"""Parts that all tables share: their form, reading them as text, and the errors of that."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TextIO

from tellapart.errors import DatasetError, first_line
from tellapart.read_files import ContentError, open_regular

Cells = list[str]


class Table(Protocol):
    """A table whose rows can be read any number of times."""

    path: Path

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""

    @property
    def encoding(self) -> str | None:
        """That of a text; file names may be bytes in it."""

    @property
    def embedded(self) -> tuple[str, ...]:
        """The columns that have images in them."""

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, Cells]]:
        """Yield each row's number, from 1, and its cells in the wanted columns. Raises DatasetError."""

    def place(self, number: int) -> str:
        """Name a row by its number, such as `line 7 of labels.csv`."""


@contextmanager
def text_lines(path: Path, encoding: str) -> Iterator[TextIO]:
    """Open a text file with the line breaks as they are. Raises DatasetError, also while it is read."""
    # File names may not be valid text; surrogateescape keeps their bytes.
    with (
        reading_errors(path, "CSV", OSError, ContentError, UnicodeError, csv.Error),
        open_regular(path) as content,
        io.TextIOWrapper(content, encoding, errors="surrogateescape", newline="") as stream,
    ):
        yield stream


@contextmanager
def reading_errors(path: Path, kind: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn errors of other libraries into a DatasetError that names the file."""
    try:
        yield
    except errors as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise DatasetError(f"{path} cannot be read as {kind}: {reason}") from error


def as_text(value: object) -> str:
    """Convert a cell to text as a person would write it; missing values are empty. Raises ValueError."""
    if value is None or value != value:  # NaN is a missing number
        return ""
    if isinstance(value, float) and value.is_integer():  # integers are stored so if some are missing
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"a cell is of type {type(value).__name__}, expected text or a number")
