"""Read tables of labels, CSV and Parquet: their column names, and their rows as text."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, TextIO

from tellapart.data.csv_injection import unescape_formula
from tellapart.errors import DatasetError, first_line, require

TABLES = (".csv", ".tsv", ".parquet")
DELIMITERS = ",;\t"
BATCH = 8_192  # rows of a Parquet file in memory at a time
Cells = list[str]


class Table(Protocol):
    """A table whose rows can be read any number of times."""

    path: Path
    columns: tuple[str, ...]
    numbered_by: str
    """The unit that rows are numbered in: line or row."""

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, Cells]]:
        """Yield each row's number, from 1, and its cells in the wanted columns. Raises DatasetError."""


def open_table(path: Path) -> Table:
    """Open a file with one of the suffixes TABLES. Raises DatasetError, MissingPackageError."""
    return _open_parquet(path) if path.suffix.lower() == ".parquet" else _open_csv(path)


@dataclass
class CsvTable:
    """Values separated by commas, semicolons or tabs, in UTF-8, or in UTF-16 as Excel saves Unicode text."""

    path: Path
    columns: tuple[str, ...]
    encoding: str
    delimiter: str
    numbered_by: str = "line"

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, Cells]]:
        """Yield each line that is not empty, after the header."""
        indices = [self.columns.index(column) for column in wanted]
        with _text(self.path, self.encoding) as stream:
            numbered = _numbered(stream, self.delimiter)
            next(numbered, None)
            for line, cells in numbered:
                if any(cell.strip() for cell in cells[len(self.columns) :]):
                    raise DatasetError(
                        f"line {line} of {self.path} has {len(cells)} cells, its header {len(self.columns)}: put "
                        f"cells that contain a {self.delimiter!r} into double quotes"
                    )
                yield line, [unescape_formula(cells[index]) if index < len(cells) else "" for index in indices]


def _open_csv(path: Path) -> Table:
    with _reading_errors(path, "CSV", OSError), path.open("rb") as stream:
        start = stream.read(2)
    encoding = "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    with _text(path, encoding) as stream:
        header = next((line for line in stream if line.strip()), "")
        delimiter = max(DELIMITERS, key=lambda char: len(next(csv.reader([header], delimiter=char), [])))
    with _text(path, encoding) as stream:
        _, columns = next(_numbered(stream, delimiter), (0, []))
    if not columns:
        raise DatasetError(f"{path} is empty; expected a first line with the names of the columns")
    return CsvTable(path, tuple(column.strip() for column in columns), encoding, delimiter)


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[TextIO]:
    # File names may not be valid text; surrogateescape keeps their bytes.
    with (
        _reading_errors(path, "CSV", OSError, UnicodeError, csv.Error),
        path.open(encoding=encoding, errors="surrogateescape", newline="") as stream,
    ):
        yield stream


@contextmanager
def _reading_errors(path: Path, kind: str, *errors: type[Exception]) -> Iterator[None]:
    try:
        yield
    except errors as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise DatasetError(f"{path} cannot be read as {kind}: {reason}") from error


def _numbered(stream: TextIO, delimiter: str) -> Iterator[tuple[int, Cells]]:
    """Yield rows that are not empty, with the line each begins on, from 1."""
    reader = csv.reader(stream, delimiter=delimiter)
    line = 1
    for cells in reader:
        if any(cells):
            yield line, cells
        line = reader.line_num + 1


@dataclass
class ParquetTable:
    """A Parquet file, read in batches."""

    path: Path
    columns: tuple[str, ...]
    file: Any
    """pyarrow.parquet.ParquetFile"""
    numbered_by: str = "row"

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, Cells]]:
        """Yield each row; the first is number 1."""
        rows = chain.from_iterable(zip(*batch, strict=True) for batch in self._batches(wanted))
        yield from enumerate(map(list, rows), 1)

    def _batches(self, wanted: Sequence[str]) -> Iterator[list[Cells]]:
        """Yield batches of rows, column by column."""
        with _reading_errors(self.path, "Parquet", *_parquet_errors()):
            for batch in self.file.iter_batches(BATCH, columns=list(dict.fromkeys(wanted))):
                yield [list(map(_as_text, batch.column(name).to_pylist())) for name in wanted]


def _open_parquet(path: Path) -> Table:
    parquet = require("pyarrow.parquet", extra="parquet")
    with _reading_errors(path, "Parquet", *_parquet_errors()):
        file = parquet.ParquetFile(path)
    return ParquetTable(path, tuple(file.schema_arrow.names), file)


def _parquet_errors() -> tuple[type[Exception], ...]:
    return (require("pyarrow", extra="parquet").ArrowException, OSError, ValueError, KeyError)


def _as_text(value: object) -> str:
    """Convert a cell to text as a person would write it; missing values are empty."""
    if value is None or value != value:  # NaN is a missing number
        return ""
    if isinstance(value, float) and value.is_integer():  # integers are stored so if some are missing
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"a cell is of type {type(value).__name__}, expected text or a number")
