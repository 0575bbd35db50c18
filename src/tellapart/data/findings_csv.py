"""The table of findings that a person marks, `findings.csv`: its columns, its cells, and reading it back.

A spreadsheet may have saved it since, with its own separator and more columns.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.csv_injection import unescape_formula
from tellapart.errors import DatasetError

COLUMNS = ("skip", "finding", "severity", "path", "digest", "split", "label", "suggested", "other", "detail")
NEEDED = ("skip", "finding", "path", "digest", "split", "label")
YES = ("x", "yes", "y", "1", "true", "skip")
NO = ("", "no", "n", "0", "false")


@dataclass(frozen=True)
class Mark:
    """A line of the table that a person marked: what to leave out."""

    line: int
    """Of the file, from 1."""
    finding: str
    path: str
    digest: str
    split: str
    label: str


def marked(table: Path) -> tuple[Mark, ...]:
    """Read the lines that a person marked. Raises DatasetError that names the first line that is not understood."""
    marks: list[Mark] = []
    wrong: list[tuple[int, str]] = []
    for line, cells in _lines(table):
        word = cells["skip"].strip().lower()
        if word in YES:
            texts = {name: unescape_formula(cells[name]) for name in NEEDED if name != "skip"}
            marks.append(Mark(line, **texts))
        elif word not in NO:
            wrong.append((line, cells["skip"]))
    if wrong:
        line, word = wrong[0]
        raise DatasetError(
            f"line {line} of {table} has {word[:40]!r} in the column skip{and_more(wrong)}; expected x to leave the "
            f"image out, or nothing to keep it"
        )
    return tuple(marks)


def _lines(table: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the number of each line with a mark in it, and its needed cells by the names of their columns."""
    text = _text(table)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if missing := [name for name in NEEDED if name not in header]:
            raise DatasetError(
                f"{table} is no table of findings: its first line has no column {', '.join(missing)}; expected what "
                f"tellapart check writes as findings.csv"
            )
        where = {name: header.index(name) for name in NEEDED}
        line = rows.line_num + 1  # a cell may hold line breaks: the line on which the row begins
        for row in rows:
            if len(row) > where["skip"] and row[where["skip"]]:
                # A spreadsheet may leave out the empty cells at the end of a row.
                yield line, {name: row[at] if at < len(row) else "" for name, at in where.items()}
            line = rows.line_num + 1
    except csv.Error as error:
        raise DatasetError(
            f"line {rows.line_num} of {table} cannot be read: {error}. Save the table as CSV again, or write a new one "
            f"with tellapart check"
        ) from error


def _text(table: Path) -> str:
    try:
        # A path may be no UTF-8; its odd bytes are kept, as Python keeps them in the names of files.
        return table.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DatasetError(
            f"{table} cannot be read: {error.strerror or error}; expected a table of findings, as tellapart check "
            f"writes it"
        ) from error


def _separator(text: str) -> str:
    """Between the names of the columns; where the comma is in numbers, spreadsheets write a semicolon."""
    header = text[: max(text.find("\n"), 0) or None][:1000]
    return max(",;\t", key=header.count)


def and_more(lines: Sequence[object]) -> str:
    """How many more lines there are than the first, to stand in a sentence about it."""
    return f" (and {len(lines) - 1:,} more lines like it)" if len(lines) > 1 else ""
