"""Write findings.csv: a row for each image that a finding concerns, in which a person marks what to leave out.

`tellapart.data.findings_csv` reads it back.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

from tellapart.checking.finding import Finding, Row
from tellapart.data.csv_injection import escape_formula
from tellapart.data.findings_csv import COLUMNS
from tellapart.errors import StorageError
from tellapart.files import atomic_write
from tellapart.read_files import MAX_LIST_BYTES, ContentError, read_content

NEEDS_QUOTES = re.compile(r"[,;\t\"\r\n]|^\s|\s$")
"""Cells to quote. Separators of other locales are included, so that no part of a cell can begin with a formula."""
BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads UTF-8 as the machine's code page


def keep_findings_csv(findings: Sequence[Finding], path: Path) -> Path | None:
    """Write the table of findings and return its path, or None where no finding has rows.

    An existing file is never overwritten, since a person may have marked images in it: a file with the same content
    is reused, otherwise the table goes to the first of `findings-2.csv`, `findings-3.csv` ... that is free or has the
    same content. Raises StorageError.
    """
    if not any(finding.rows for finding in findings):
        return None
    content = findings_text(findings).encode(errors="surrogateescape")
    target = next(
        candidate for candidate in _numbered(path) if not candidate.exists() or _read_file(candidate) == content
    )
    if not target.exists():
        atomic_write(target, content)
    return target


def write_findings_csv(findings: Iterable[Finding], path: Path) -> None:
    """Write the table, atomically. Raises StorageError."""
    atomic_write(path, findings_text(findings))


def findings_text(findings: Iterable[Finding]) -> str:
    """Format the table: the column names, then a line for each row of each finding, none of them marked."""
    rows = (_cells(finding, row) for finding in findings for row in finding.rows)
    lines = "".join(",".join(map(_quoted, cells)) + "\n" for cells in (COLUMNS, *rows))
    return lines if lines.isascii() else BYTE_ORDER_MARK + lines


def _cells(finding: Finding, row: Row) -> Sequence[str]:
    cells = (finding.kind, finding.severity, row.path, row.digest, row.split, row.label)
    return ("", *map(escape_formula, (*cells, row.suggested, row.other, row.detail)))


def _quoted(cell: str) -> str:
    escaped = cell.replace('"', '""')
    return f'"{escaped}"' if NEEDS_QUOTES.search(cell) else cell


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in count(2):
        yield path.with_stem(f"{path.stem}-{number}")


def _read_file(path: Path) -> bytes | None:
    """Return a file's content, or None for a folder, a pipe and what else no table of findings is."""
    try:
        return read_content(path, MAX_LIST_BYTES)
    except (ContentError, IsADirectoryError):
        return None
    except OSError as error:
        raise StorageError(f"{path} exists and cannot be read: {error.strerror or error}. Name another") from error
