"""findings.csv comes back as it was written, whatever the images and the classes are called."""

import csv
import io
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given
from hypothesis import strategies as st

from tellapart.checking.finding import Finding, Row
from tellapart.checking.table import text, write
from tellapart.data.findings_csv import COLUMNS, marked

HOSTILE = (
    "a\nb.jpg", 'say "x".jpg', "a,b;c\td.jpg", "=cmd|'/c calc'!A1.jpg", "+1.jpg", "-1", "@sum", "'quoted'", " =1+1",
    "\t=1", "<script>alert(1)</script>.png", "\u202egpj.exe", "猫.jpg", "\ufeffx", "x" * 251 + ".jpg",
    "\r", "", " ", "\uff1dx", os.fsdecode(b"caf\xe9/\xff.jpg"), "../../etc/passwd", "\x1b[2J", "\x00",
)  # fmt: skip
SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
NAMES = st.one_of(st.sampled_from(HOSTILE), st.text(), st.binary().map(os.fsdecode))
LABELS = st.one_of(st.sampled_from(HOSTILE), st.text())


def finding(*rows: Row) -> Finding:
    return Finding("label-error", "warning", len(rows), "It is so.", "Look.", rows)


def by_a_person(table: str) -> str:
    """Mark every line, as a person would who reads CSV."""
    rows = list(csv.reader(io.StringIO(table.removeprefix("\ufeff"), newline="")))
    marked = io.StringIO()
    csv.writer(marked).writerows([rows[0], *(["x", *row[1:]] for row in rows[1:])])
    return marked.getvalue()


@given(st.lists(st.tuples(NAMES, LABELS), max_size=5))
@example([(name, name) for name in HOSTILE])
def test_what_is_written_is_read_back(names: list[tuple[str, str]]) -> None:
    rows = [Row(path, "d" * 64, "train", label) for path, label in names]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "findings.csv"
        write([finding(*rows)], path)
        assert marked(path) == ()
        written = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
        path.write_bytes(by_a_person(written).encode(errors="surrogateescape"))
        read = marked(path)
    assert [(mark.path, mark.label) for mark in read] == names
    assert all((mark.finding, mark.digest, mark.split) == ("label-error", "d" * 64, "train") for mark in read)


@given(NAMES, LABELS, LABELS, NAMES)
def test_no_cell_is_a_formula(path: str, label: str, detail: str, other: str) -> None:
    table = text([finding(Row(path, "d", "train", label, label, other, detail))])
    (_, cells) = csv.reader(io.StringIO(table.removeprefix("\ufeff"), newline=""))
    assert len(cells) == len(COLUMNS)
    assert not any(cell.lstrip(" ").startswith(SIGNS) for cell in cells)


def test_a_line_for_each_row_and_nothing_for_findings_without() -> None:
    table = text([
        finding(Row("a.jpg", "d1", "train", "cat", "dog", "b.jpg", "surely")),
        Finding("imbalance", "note", 2, "So.", "Do."),
    ])  # fmt: skip
    assert table == (
        "skip,finding,severity,path,digest,split,label,suggested,other,detail\n"
        ",label-error,warning,a.jpg,d1,train,cat,dog,b.jpg,surely\n"
    )


def test_a_spreadsheet_is_told_of_utf_8_only_where_it_matters() -> None:
    assert text([finding(Row("Käse.jpg", "d", "all", "cat"))]).startswith("\ufeffskip,")
    assert text([finding(Row("cheese.jpg", "d", "all", "cat"))]).startswith("skip,")
