"""Tables of either kind: the same rows, whatever wrote them."""

from pathlib import Path

import pytest

from tellapart.data.sources.tables import BATCH, open_table
from tellapart.errors import DatasetError

pyarrow = pytest.importorskip("pyarrow")
pyarrow_parquet = pytest.importorskip("pyarrow.parquet")
ROWS = [("a.jpg", "cat"), ("b, c.jpg", 'the "dog"'), ("é.jpg", "猫")]


def csv(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def rows(path: Path, *wanted: str) -> list[tuple[int, list[str]]]:
    table = open_table(path)
    return list(table.rows(wanted or table.columns))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_whatever_program_wrote_it(tmp_path: Path, delimiter: str, encoding: str, end: str) -> None:
    quoted = ['"' + f'"{delimiter}"'.join(cell.replace('"', '""') for cell in row) + '"' for row in ROWS]
    path = csv(tmp_path / "labels.csv", end.join([f"path{delimiter}label", *quoted]), encoding)
    assert open_table(path).columns == ("path", "label")
    assert rows(path) == [(number, list(row)) for number, row in enumerate(ROWS, 2)]


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    path = csv(tmp_path / "labels.csv", 'path,label\n\n"a\nb.jpg",cat\n,\nc.jpg,dog\n')
    assert rows(path) == [(3, ["a\nb.jpg", "cat"]), (6, ["c.jpg", "dog"])]


def test_columns_are_given_in_the_order_asked_for_and_short_rows_end_empty(tmp_path: Path) -> None:
    path = csv(tmp_path / "labels.csv", "number, label ,path\n1,cat,a.jpg\n2,dog\n3,cat,c.jpg,,\n")
    assert rows(path, "path", "label") == [(2, ["a.jpg", "cat"]), (3, ["", "dog"]), (4, ["c.jpg", "cat"])]


def test_a_row_longer_than_the_header_is_refused_since_a_comma_may_have_split_its_path(tmp_path: Path) -> None:
    path = csv(tmp_path / "labels.csv", "path,label\na,b.jpg,cat\n")
    with pytest.raises(
        DatasetError, match=r"line 2 of .*labels.csv has 3 cells, its header 2: put cells that contain a ','"
    ):
        rows(path)


def test_names_that_are_no_text_survive(tmp_path: Path) -> None:
    assert rows(csv(tmp_path / "a.csv", b"path,label\ncaf\xe9.jpg,cat\n")) == [(2, ["caf\udce9.jpg", "cat"])]


@pytest.mark.parametrize(
    ("cell", "meant"), [("'=1+1", "=1+1"), ("''=1", "'=1"), ("'s-Gravenhage", "'s-Gravenhage"), ("-1", "-1")]
)
def test_a_guard_against_formulas_is_no_part_of_the_text(tmp_path: Path, cell: str, meant: str) -> None:
    assert rows(csv(tmp_path / "a.csv", f"path,label\na.jpg,{cell}\n")) == [(2, ["a.jpg", meant])]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty; expected a first line with the names of the columns"),
        (b"\n\n\n", "is empty"),
        (b"path,label\n" + b"x" * 200_000, "cannot be read as CSV: field larger than field limit"),
        (b"\xff\xfea\0b", "cannot be read as CSV: .*truncated data"),
    ],
)
def test_what_is_no_csv_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        rows(csv(tmp_path / "labels.csv", content))


def parquet(file: Path, **columns: object) -> Path:
    pyarrow_parquet.write_table(pyarrow.table(columns), file)
    return file


def test_parquet_is_read_in_batches_in_order(tmp_path: Path) -> None:
    count = 2 * BATCH + 1
    path = parquet(
        tmp_path / "a.parquet", path=[f"{i}.jpg" for i in range(count)], label=["cat"] * count, more=[0] * count
    )
    found = rows(path, "label", "path")
    assert len(found) == count
    assert found[0] == (1, ["cat", "0.jpg"])
    assert found[-1] == (count, ["cat", f"{count - 1}.jpg"])


def test_cells_of_parquet_become_text(tmp_path: Path) -> None:
    labels = pyarrow.array(["cat", None, "dog"]).dictionary_encode()
    path = parquet(tmp_path / "a.parquet", a=labels, b=[1, None, 3], c=[1.0, float("nan"), 2.5], d=[True, None, False])
    assert [cells for _, cells in rows(path)] == [
        ["cat", "1", "1", "True"],
        ["", "", "", ""],
        ["dog", "3", "2.5", "False"],
    ]


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a.parquet cannot be read as Parquet: "):
        rows(csv(tmp_path / "a.parquet", b"PAR1 not at all"))
    with pytest.raises(DatasetError, match="as Parquet: a cell is of type dict, expected text or a number"):
        rows(parquet(tmp_path / "b.parquet", image=[{"bytes": b"x", "path": "a.jpg"}]))


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", path=[f"{i}.jpg" for i in range(1000)])
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"a.parquet cannot be read as Parquet: "):
        rows(path)
