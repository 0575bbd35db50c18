"""Format of `findings.csv`, the table in which a person marks images to leave out, and reading the marks back.

A spreadsheet may have saved it meanwhile, with its own separator and more columns.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.csv_injection import unescape_formula
from tellapart.errors import DatasetError
from tellapart.read_files import MAX_LIST_BYTES, ContentError, read_content

COLUMNS = ("skip", "finding", "severity", "path", "digest", "split", "label", "suggested", "other", "detail")
REQUIRED = ("skip", "finding", "path", "digest", "split", "label")
YES = ("x", "yes", "y", "1", "true", "skip")
NO = ("", "no", "n", "0", "false")


@dataclass(frozen=True)
class Mark:
    """A marked line of the table: an image to leave out."""

    line: int
    """The line number in the file, from 1."""
    finding: str
    path: str
    digest: str
    split: str
    label: str


def read_marks(table: Path) -> tuple[Mark, ...]:
    """Read the marked lines. Raises DatasetError that names the first line that is not understood."""
    marks: list[Mark] = []
    invalid: list[tuple[int, str]] = []
    for line, cells in _lines(table):
        mark = cells["skip"].strip().lower()
        if mark in YES:
            texts = {name: unescape_formula(cells[name]) for name in REQUIRED if name != "skip"}
            marks.append(Mark(line, **texts))
        elif mark not in NO:
            invalid.append((line, cells["skip"]))
    if invalid:
        line, mark = invalid[0]
        raise DatasetError(
            f"line {line} of {table} has {mark[:40]!r} in the column skip{and_more(invalid)}; expected x to leave the "
            f"image out, or nothing to keep it"
        )
    return tuple(marks)


def _lines(table: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the number of each line with text in its skip column, and its required cells by column."""
    text = _text(table)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if missing := [name for name in REQUIRED if name not in header]:
            raise DatasetError(
                f"{table} is not a table of findings: its first line has no column {', '.join(missing)}; expected what "
                f"tellapart check writes as findings.csv"
            )
        positions = {name: header.index(name) for name in REQUIRED}
        line = rows.line_num + 1  # the row's first line: a cell may contain line breaks
        for row in rows:
            if len(row) > positions["skip"] and row[positions["skip"]]:
                # Spreadsheets may drop the empty cells at the end of a row.
                yield line, {name: row[index] if index < len(row) else "" for name, index in positions.items()}
            line = rows.line_num + 1
    except csv.Error as error:
        raise DatasetError(
            f"line {rows.line_num} of {table} cannot be read: {error}. Save the table as CSV again, or write a new one "
            f"with tellapart check"
        ) from error


def _text(table: Path) -> str:
    try:
        # A path may not be UTF-8; its bytes are kept as surrogates, as Python does in file names.
        return read_content(table, MAX_LIST_BYTES).decode("utf-8-sig", errors="surrogateescape")
    except (OSError, ContentError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(
            f"{table} cannot be read: {reason}; expected a table of findings, as tellapart check writes it"
        ) from error


def _separator(text: str) -> str:
    """Detect the separator in the header; with decimal commas, spreadsheets separate cells by semicolons."""
    header = text[: max(text.find("\n"), 0) or None][:1000]
    return max(",;\t", key=header.count)


def and_more(lines: Sequence[object]) -> str:
    """Return how many lines there are beside the first, as a clause for a sentence about that one."""
    return f" (and {len(lines) - 1:,} more lines like it)" if len(lines) > 1 else ""
