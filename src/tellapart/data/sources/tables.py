"""Read tables of labels: their column names, and their rows as text. Those of text are here."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tellapart.data.csv_injection import unescape_formula
from tellapart.data.decoding.formats import SUFFIXES
from tellapart.data.sources.json_lines import open_json_lines
from tellapart.data.sources.listing import is_image
from tellapart.data.sources.parquet_table import open_parquet
from tellapart.data.sources.table import Cells, Table, reading_errors, text_lines
from tellapart.data.sources.text_encoding import text_encoding
from tellapart.errors import DatasetError
from tellapart.read_files import ContentError

JSON_LINES = (".jsonl", ".ndjson")
TEXT_LISTS = (".txt", ".lst")
TABLES = (".csv", ".tsv", ".parquet", *JSON_LINES, *TEXT_LISTS)
DELIMITERS = ",;\t"
PATH_THEN_LABEL = re.compile(rf"(.*?(?:{'|'.join(map(re.escape, SUFFIXES))}))\s+(\S.*)", re.IGNORECASE)


def open_table(path: Path, encoding: str | None = None) -> Table:
    """Open a file with one of the suffixes TABLES; `encoding` is that of a text.

    A text without a header has the columns path and label, or path and others numbered from 1. Raises DatasetError,
    MissingPackageError.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return open_parquet(path)
    with reading_errors(path, "text", OSError, ContentError):
        encoding = text_encoding(path, encoding)
    if suffix in JSON_LINES:
        return open_json_lines(path, encoding)
    return _open_text(path, encoding, is_list=suffix in TEXT_LISTS)


@dataclass
class CsvTable:
    """Values separated by commas, semicolons or tabs, in UTF-8, or in UTF-16 as Excel saves Unicode text."""

    path: Path
    columns: tuple[str, ...]
    encoding: str
    delimiter: str
    has_header: bool = True
    embedded: tuple[str, ...] = ()

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, Cells]]:
        """Yield each line that is not empty, after the header."""
        indices = [self.columns.index(column) for column in wanted]
        with text_lines(self.path, self.encoding) as stream:
            numbered = _numbered(stream, self.delimiter)
            if self.has_header:
                next(numbered, None)
            for line, cells in numbered:
                self._require_one_row(line, cells)
                if any(cell.strip() for cell in cells[len(self.columns) :]):
                    raise DatasetError(
                        f"line {line} of {self.path} has {len(cells)} cells, its header {len(self.columns)}: put "
                        f"cells that contain a {self.delimiter!r} into double quotes"
                    )
                yield line, [unescape_formula(cells[index]) if index < len(cells) else "" for index in indices]

    def place(self, number: int) -> str:
        """Name a row as an editor does."""
        return f"line {number} of {self.path}"

    def _require_one_row(self, line: int, cells: Cells) -> None:
        """Refuse cells with further rows in them: a double quote that nothing closes takes them in."""
        for cell in cells:
            for number, text in enumerate(cell.splitlines()[1:], line + 1):
                row = next(csv.reader([text], delimiter=self.delimiter), [])
                if len(row) > 1 and any(map(is_image, row)):
                    raise DatasetError(
                        f"line {line} of {self.path} has a double quote that is not closed, so that line {number} "
                        f"would be part of its cell: remove the quote, or double it"
                    )


def _open_text(path: Path, encoding: str, *, is_list: bool) -> Table:
    with text_lines(path, encoding) as stream:
        first = next((line for line in stream if line.strip()), "")
    delimiter = max(DELIMITERS, key=lambda char: len(next(csv.reader([first], delimiter=char), [])))
    if is_list and delimiter not in first:
        return TextList(path, encoding)
    with text_lines(path, encoding) as stream:
        _, cells = next(_numbered(stream, delimiter), (0, []))
    if not cells:
        raise DatasetError(f"{path} is empty; expected a first line with the names of the columns")
    columns = tuple(cell.strip() for cell in cells)
    headless = _columns_without_header(columns)
    return CsvTable(path, headless or columns, encoding, delimiter, has_header=headless is None)


def _columns_without_header(first: Sequence[str]) -> tuple[str, ...] | None:
    """Name the columns by the first row where it already names an image; None where it is a header."""
    paths = [number for number, cell in enumerate(first) if is_image(cell)]
    if len(paths) != 1:
        return None
    others = (f"column {number}" for number in range(1, len(first) + 1))
    names = ["label", "label"] if len(first) == 2 else list(others)
    return tuple("path" if number in paths else name for number, name in enumerate(names))


@dataclass
class TextList:
    """Lines of a path and a label with white space between, or of paths alone."""

    path: Path
    encoding: str
    columns: tuple[str, ...] = ("path", "label")
    embedded: tuple[str, ...] = ()

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, Cells]]:
        """Yield each line that is not empty."""
        with text_lines(self.path, self.encoding) as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    cells = dict(zip(self.columns, _path_and_label(line.strip()), strict=True))
                    yield number, [cells[name] for name in wanted]

    def place(self, number: int) -> str:
        """Name a row as an editor does."""
        return f"line {number} of {self.path}"


def _path_and_label(line: str) -> tuple[str, str]:
    """Divide a line behind the extension of an image, else before its last word; a path may contain spaces."""
    if match := PATH_THEN_LABEL.fullmatch(line):
        return match[1], match[2]
    if is_image(line):
        return line, ""
    path, _, label = line.rpartition(" ")
    return (path.strip(), label) if path else (line, "")


def _numbered(stream: TextIO, delimiter: str) -> Iterator[tuple[int, Cells]]:
    """Yield rows that are not empty, with the line each begins on, from 1."""
    reader = csv.reader(stream, delimiter=delimiter)
    line = 1
    for cells in reader:
        if any(cells):
            yield line, cells
        line = reader.line_num + 1
