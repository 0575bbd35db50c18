"""Tables of either kind: the same rows, whatever wrote them."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tellapart.data.sources.parquet_table import BATCH
from tellapart.data.sources.tables import open_table
from tellapart.errors import DatasetError
from tellapart.files import cache_folder

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


@pytest.mark.parametrize("end", ["", 'd.jpg,"cat"\n'])
def test_a_quote_that_swallows_rows_is_refused_with_the_row(tmp_path: Path, end: str) -> None:
    path = csv(tmp_path / "labels.csv", f'path,note\na.jpg,fine\nb.jpg,"6 inches\nc.jpg,"dog"\n{end}')
    with pytest.raises(DatasetError, match=r"line 3 of .* has a double quote that is not closed, so that line 4 would"):
        rows(path)


def test_a_note_of_several_lines_is_a_cell(tmp_path: Path) -> None:
    path = csv(tmp_path / "labels.csv", 'path,note\na.jpg,"fine,\nand large"\n')
    assert rows(path, "note") == [(2, ["fine,\nand large"])]


def test_names_that_are_no_text_survive(tmp_path: Path) -> None:
    content = "path,label\né.jpg,cat\n".encode() + b"caf\xe9.jpg,cat\n"
    assert rows(csv(tmp_path / "a.csv", content)) == [(2, ["é.jpg", "cat"]), (3, ["caf\udce9.jpg", "cat"])]


def test_a_text_in_another_encoding_is_decoded(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "path,label\ncafé.jpg,Müller\n", "cp1252")
    assert rows(path) == [(2, ["café.jpg", "Müller"])]
    assert list(open_table(path, "cp850").rows(["label"])) == [(2, ["M³ller"])]


def test_a_first_line_that_names_an_image_is_no_header(tmp_path: Path) -> None:
    assert rows(csv(tmp_path / "a.csv", "cats/1.JPG,cat\ndogs/1.JPG,dog\n")) == [
        (1, ["cats/1.JPG", "cat"]),
        (2, ["dogs/1.JPG", "dog"]),
    ]
    assert open_table(csv(tmp_path / "b.csv", "cat;1.jpg\n")).columns == ("label", "path")
    assert open_table(csv(tmp_path / "c.lst", "0\t3\ta.jpg\n")).columns == ("column 1", "column 2", "path")


def test_a_text_list_has_a_path_and_a_label_on_each_line(tmp_path: Path) -> None:
    content = "a/1.jpg 3\nmy cat.JPG  great dane\n\n./sub dir/b.png\nno extension 12\nalone\n"
    assert rows(csv(tmp_path / "train.txt", content)) == [
        (1, ["a/1.jpg", "3"]),
        (2, ["my cat.JPG", "great dane"]),
        (4, ["./sub dir/b.png", ""]),
        (5, ["no extension", "12"]),
        (6, ["alone", ""]),
    ]
    assert rows(csv(tmp_path / "labels.txt", "path,label\na.jpg,cat\n")) == [(2, ["a.jpg", "cat"])]


def test_json_lines_are_rows_whose_fields_may_be_lacking(tmp_path: Path) -> None:
    content = (
        '{"file_name": "é.jpg", "label": 3}\n\n{"file_name": "b.jpg", "boxes": [1], "label": null}\n{"label": "x"}'
    )
    path = csv(tmp_path / "metadata.jsonl", content)
    assert open_table(path).columns == ("file_name", "label", "boxes")
    assert rows(path, "file_name", "label") == [(1, ["é.jpg", "3"]), (3, ["b.jpg", ""]), (4, ["", "x"])]
    with pytest.raises(DatasetError, match="line 3: a cell is of type list, expected text or a number"):
        rows(path, "boxes")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty; expected an object on each line"),
        ("[1]", "line 1 of .* is no object; expected one on each line, in braces"),
        ('{"a": 1}\n{"a": ', "cannot be read as JSON lines, line 2: "),
        ("[" * 100_000, "cannot be read as JSON lines, line 1: "),
        ('{"a": ' + "9" * 5_000 + "}", "cannot be read as JSON lines, line 1: "),
    ],
)
def test_what_is_no_json_lines_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        rows(csv(tmp_path / "a.jsonl", content))


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
        rows(parquet(tmp_path / "b.parquet", image=[{"url": "x", "path": "a.jpg"}]))


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", path=[f"{i}.jpg" for i in range(1000)])
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"a.parquet cannot be read as Parquet: "):
        rows(path)


def png(shade: int) -> bytes:
    content = BytesIO()
    Image.new("L", (3, 3), shade).save(content, "PNG")
    return content.getvalue()


def test_images_in_a_parquet_file_become_files_with_their_class_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [
        {"bytes": png(1), "path": "../../a b.png"},
        {"bytes": None, "path": None},
        {"bytes": png(3), "path": None},
    ]
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "image": {}}}}
    table = pyarrow.table({"image": images, "label": [1, 0, -1]})
    path = tmp_path / "train.parquet"
    pyarrow_parquet.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), path)
    assert open_table(path).embedded == ("image",)
    (_, (first, label)), (_, missing), (_, (third, unknown)) = rows(path)
    assert (label, missing, unknown) == ("dog", ["", "cat"], "")
    assert (Path(first).name, Path(third).name) == ("0000000-a_b.png", "0000002-image.png")
    assert (Path(first).read_bytes(), Path(third).read_bytes()) == (png(1), png(3))
    assert Path(first).is_relative_to(cache_folder())
    assert "train.parquet: the images in it were written to" in capsys.readouterr().err
    assert [cells for _, cells in rows(path, "image")] == [[first], [""], [third]]
    assert "written" not in capsys.readouterr().err


def test_a_description_of_classes_that_is_damaged_has_none(tmp_path: Path) -> None:
    table = pyarrow.table({"image": [png(1)], "label": [1]})
    path = tmp_path / "a.parquet"
    for description in ("{", "[]", '{"info": 3}', '{"info": {"features": {"label": {"_type": "ClassLabel"}}}}'):
        pyarrow_parquet.write_table(table.replace_schema_metadata({"huggingface": description}), path)
        assert rows(path, "label") == [(1, ["1"])]
