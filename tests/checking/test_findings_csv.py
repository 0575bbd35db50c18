"""A table in which a person may have marked images is never written over."""

from pathlib import Path

import pytest

from tellapart.checking.finding import Finding, Row
from tellapart.checking.findings_csv import keep
from tellapart.checking.table import text
from tellapart.errors import StorageError


def found(*names: str) -> list[Finding]:
    rows = tuple(Row(name, "0" * 64, "all", "cat") for name in names)
    return [Finding("blank", "note", len(rows), "Blank.", "", rows)]


def test_a_table_is_written_once_however_often_the_same_is_found(tmp_path: Path) -> None:
    path = tmp_path / "findings.csv"
    assert keep(found("a.png"), path) == keep(found("a.png"), path) == path
    assert path.read_text() == text(found("a.png"))
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_with_marks_stays_and_the_new_one_takes_the_next_number(tmp_path: Path) -> None:
    path = tmp_path / "findings.csv"
    keep(found("a.png"), path)
    marked = path.read_text().replace("\n,", "\nx,")
    path.write_text(marked)
    assert keep(found("a.png"), path) == tmp_path / "findings-2.csv"
    assert keep(found("b.png"), path) == tmp_path / "findings-3.csv"
    assert keep(found("a.png"), path) == tmp_path / "findings-2.csv"
    assert path.read_text() == marked
    assert len(list(tmp_path.iterdir())) == 3


def test_findings_without_images_leave_no_table(tmp_path: Path) -> None:
    assert keep(found(), tmp_path / "findings.csv") is None
    assert keep([], tmp_path / "findings.csv") is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "findings.csv").mkdir()
    assert keep(found("a.png"), tmp_path / "findings.csv") == tmp_path / "findings-2.csv"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        keep(found("a.png"), tmp_path / "file" / "findings.csv")
