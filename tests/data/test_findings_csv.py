"""What a person marked in a table of findings is read, as a spreadsheet may have saved it; all else is refused."""

from pathlib import Path

import pytest

from tellapart.data.findings_csv import read_marks
from tellapart.errors import DatasetError

HEADER = "skip,finding,severity,path,digest,split,label,suggested,other,detail"


def table(folder: Path, *lines: str, header: str = HEADER, ending: str = "\n", encoding: str = "utf-8") -> Path:
    path = folder / "findings.csv"
    path.write_bytes(ending.join([header, *lines, ""]).encode(encoding))
    return path


def line(skip: str, path: str = "a.jpg") -> str:
    return f"{skip},blank,warning,{path},d1,all,cat,,,"


@pytest.mark.parametrize("skip", ["x", "X", "yes", "Y", "1", "true", "TRUE", "skip", " x "])
def test_marks(tmp_path: Path, skip: str) -> None:
    (mark,) = read_marks(table(tmp_path, line("", "kept.jpg"), line(skip)))
    assert (mark.line, mark.finding, mark.path, mark.digest) == (3, "blank", "a.jpg", "d1")
    assert (mark.split, mark.label) == ("all", "cat")


@pytest.mark.parametrize("skip", ["", " ", "no", "N", "0", "false", "FALSE"])
def test_no_marks(tmp_path: Path, skip: str) -> None:
    assert read_marks(table(tmp_path, line(skip))) == ()


def test_an_unknown_mark_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"line 3 of .*findings.csv has 'maybe' in the column skip \(and 1 more"):
        read_marks(table(tmp_path, line("x"), line("maybe"), line("?")))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_as_a_spreadsheet_saves_it(tmp_path: Path, separator: str, ending: str, encoding: str) -> None:
    saved = table(
        tmp_path,
        line("x", "Käse.jpg").replace(",", separator),
        header=HEADER.replace(",", separator),
        ending=ending,
        encoding=encoding,
    )
    assert [mark.path for mark in read_marks(saved)] == ["Käse.jpg"]


def test_columns_in_another_order_more_columns_and_short_rows(tmp_path: Path) -> None:
    saved = table(tmp_path, "mine,p.jpg,x,blank,d1", "", header="note,path,Skip,finding,digest,split,label")
    (mark,) = read_marks(saved)
    assert (mark.path, mark.label, mark.line) == ("p.jpg", "", 2)


def test_a_line_counts_from_where_its_row_begins(tmp_path: Path) -> None:
    saved = table(tmp_path, line("", '"a\nb.jpg"'), line("x", '"c\nd.jpg"'))
    (mark,) = read_marks(saved)
    assert (mark.line, mark.path) == (4, "c\nd.jpg")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"path,label\na.jpg,cat\n",
        b"PK\x03\x04\x14\x00\x00\x00",  # a spreadsheet's own format
        HEADER.encode("utf-16"),
        b"\xff\xd8\xff\xe0" + bytes(range(256)),
    ],
)
def test_what_is_no_table_of_findings(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"tellapart check"):
        read_marks(path)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot be read: No such file"):
        read_marks(tmp_path / "findings.csv")
    with pytest.raises(DatasetError, match=r"cannot be read: it is a folder, a pipe or a device"):
        read_marks(tmp_path)


@pytest.mark.parametrize("broken", ['x,"a"b,c', 'x,"never closed', "x," + "a" * 200_000])
def test_a_broken_line(tmp_path: Path, broken: str) -> None:
    with pytest.raises(DatasetError, match=r"line [12] of .* cannot be read: .*Save the table as CSV again"):
        read_marks(table(tmp_path, broken))
