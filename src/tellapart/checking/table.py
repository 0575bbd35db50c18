"""findings.csv: a line for each image that a finding concerns. A person marks in it what to leave out.

`tellapart.data.findings_csv` reads it back.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tellapart.checking.finding import Finding, Row
from tellapart.data.csv_injection import escape_formula
from tellapart.data.findings_csv import COLUMNS
from tellapart.files import atomic_write

QUOTED = re.compile(r"[,;\t\"\r\n]|^\s|\s$")
"""What needs quotes around a cell; also what separates cells elsewhere, lest a part of one begins as a formula."""
MARK = "\ufeff"  # without it Excel takes UTF-8 for the code page of the machine


def write(findings: Iterable[Finding], path: Path) -> None:
    """Write the table, atomically. Raises StorageError."""
    atomic_write(path, text(findings))


def text(findings: Iterable[Finding]) -> str:
    """The table: the names of its columns, then a line for each row of each finding, none of them marked."""
    rows = (_cells(finding, row) for finding in findings for row in finding.rows)
    lines = "".join(",".join(map(_quoted, cells)) + "\n" for cells in (COLUMNS, *rows))
    return lines if lines.isascii() else MARK + lines


def _cells(finding: Finding, row: Row) -> Sequence[str]:
    told = (finding.kind, finding.severity, row.path, row.digest, row.split, row.label)
    return ("", *map(escape_formula, (*told, row.suggested, row.other, row.detail)))


def _quoted(cell: str) -> str:
    escaped = cell.replace('"', '""')
    return f'"{escaped}"' if QUOTED.search(cell) else cell
