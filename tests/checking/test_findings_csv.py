"""findings.csv reads back as it was written, with any names, and is never overwritten."""

import csv
import io
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tellapart.checking.finding import Finding, Row
from tellapart.checking.findings_csv import findings_text, keep_findings_csv, write_findings_csv
from tellapart.data.findings_csv import COLUMNS, read_marks
from tellapart.errors import StorageError

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
        write_findings_csv([finding(*rows)], path)
        assert read_marks(path) == ()
        written = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
        path.write_bytes(by_a_person(written).encode(errors="surrogateescape"))
        read = read_marks(path)
    assert [(mark.path, mark.label) for mark in read] == names
    assert all((mark.finding, mark.digest, mark.split) == ("label-error", "d" * 64, "train") for mark in read)


@given(NAMES, LABELS, LABELS, NAMES)
def test_no_cell_is_a_formula(path: str, label: str, detail: str, other: str) -> None:
    table = findings_text([finding(Row(path, "d", "train", label, label, other, detail))])
    (_, cells) = csv.reader(io.StringIO(table.removeprefix("\ufeff"), newline=""))
    assert len(cells) == len(COLUMNS)
    assert not any(cell.lstrip(" ").startswith(SIGNS) for cell in cells)


def test_a_line_for_each_row_and_nothing_for_findings_without() -> None:
    table = findings_text([
        finding(Row("a.jpg", "d1", "train", "cat", "dog", "b.jpg", "surely")),
        Finding("imbalance", "note", 2, "So.", "Do."),
    ])  # fmt: skip
    assert table == (
        "skip,finding,severity,path,digest,split,label,suggested,other,detail\n"
        ",label-error,warning,a.jpg,d1,train,cat,dog,b.jpg,surely\n"
    )


def test_a_spreadsheet_is_told_of_utf_8_only_where_it_matters() -> None:
    assert findings_text([finding(Row("Käse.jpg", "d", "all", "cat"))]).startswith("\ufeffskip,")
    assert findings_text([finding(Row("cheese.jpg", "d", "all", "cat"))]).startswith("skip,")


def blank_images(*names: str) -> list[Finding]:
    rows = tuple(Row(name, "0" * 64, "all", "cat") for name in names)
    return [Finding("blank", "note", len(rows), "Blank.", "", rows)]


def test_a_table_is_written_once_however_often_the_same_is_found(tmp_path: Path) -> None:
    path = tmp_path / "findings.csv"
    assert keep_findings_csv(blank_images("a.png"), path) == keep_findings_csv(blank_images("a.png"), path) == path
    assert path.read_text() == findings_text(blank_images("a.png"))
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_with_marks_stays_and_the_new_one_takes_the_next_number(tmp_path: Path) -> None:
    path = tmp_path / "findings.csv"
    keep_findings_csv(blank_images("a.png"), path)
    marked = path.read_text().replace("\n,", "\nx,")
    path.write_text(marked)
    assert keep_findings_csv(blank_images("a.png"), path) == tmp_path / "findings-2.csv"
    assert keep_findings_csv(blank_images("b.png"), path) == tmp_path / "findings-3.csv"
    assert keep_findings_csv(blank_images("a.png"), path) == tmp_path / "findings-2.csv"
    assert path.read_text() == marked
    assert len(list(tmp_path.iterdir())) == 3


def test_findings_without_images_leave_no_table(tmp_path: Path) -> None:
    assert keep_findings_csv(blank_images(), tmp_path / "findings.csv") is None
    assert keep_findings_csv([], tmp_path / "findings.csv") is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "findings.csv").mkdir()
    assert keep_findings_csv(blank_images("a.png"), tmp_path / "findings.csv") == tmp_path / "findings-2.csv"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        keep_findings_csv(blank_images("a.png"), tmp_path / "file" / "findings.csv")
