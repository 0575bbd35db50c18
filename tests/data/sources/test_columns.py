"""Which columns of a table are meant."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tellapart.data.dataset import ReadOptions
from tellapart.data.sources.columns import Columns, choose_columns, split_of, split_word
from tellapart.data.sources.table import Table
from tellapart.data.sources.tables import CsvTable, open_table
from tellapart.errors import DatasetError


def table(columns: Sequence[str], name: str = "labels.csv") -> Table:
    return CsvTable(Path(name), tuple(columns), "utf-8", ",")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["path", "label", "split", "group"], Columns("path", ("label",), ("split",), "group")),
        (["img", "fname", "labels"], Columns("fname", ("labels",), (), None)),
        (["id", "Class", "age", "Image Path"], Columns("Image Path", ("Class",), (), None)),
        (["image", "sender_id", "label", "kids"], Columns("image", ("label",), (), None)),
        (["category", "file-name", "fold", "SUBSET"], Columns("file-name", ("category",), ("SUBSET",), None)),
    ],
)
def test_usual_names_are_taken_and_said(
    columns: list[str], expected: Columns, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose_columns(table(columns), ReadOptions()) == expected
    said = capsys.readouterr().err
    assert said.startswith("labels.csv: columns taken by their names: path from")
    assert f"label from {expected.labels[0]!r}" in said
    assert ("split from" in said, "group from" in said) == (expected.splits != (), expected.group is not None)


def test_what_a_person_names_goes_first_and_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    read_options = ReadOptions(path_column="url", label_column="image", group_column="sender")
    columns = choose_columns(table(["image", "url", "label", "sender", "split"]), read_options)
    assert columns == Columns("url", ("image",), ("split",), "sender")
    assert capsys.readouterr().err == "labels.csv: columns taken by their names: split from 'split'\n"


@pytest.mark.parametrize(
    ("columns", "read_options", "sentence"),
    [
        (
            ["a.jpg", "cat"],
            ReadOptions(),
            "no column of t.csv is called path or the like: its first line says 'a.jpg', 'cat'",
        ),
        (["path", "kind"], ReadOptions(), "called label or the like: .* Name the column with --label-column"),
        (["path", "kind"], ReadOptions(label_column="kid"), "t.csv has no column 'kid': did you mean kind"),
        (["path", "x", "x"], ReadOptions(label_column="x"), "column 'x' of t.csv is there or asked for twice"),
        (
            ["path", "x"],
            ReadOptions(label_column="x", split_column="x"),
            "column 'x' of t.csv is there or asked for twice",
        ),
        (["path", "label", "label"], ReadOptions(), "called label or the like"),
        ([f"c{i}" for i in range(100)], ReadOptions(), "'c0', .* and 88 more. Name"),
    ],
)
def test_what_cannot_be_chosen_is_refused(columns: list[str], read_options: ReadOptions, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        choose_columns(table(columns, "t.csv"), read_options)


def test_columns_of_0_and_1_are_classes_where_there_is_no_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "isic.csv").write_text("image,MEL,NV,age\na,1.0,0.0,30\nb,0.0,1.0,40\n")
    isic = open_table(tmp_path / "isic.csv")
    assert choose_columns(isic, ReadOptions()) == Columns("image", ("MEL", "NV"), (), None)
    assert "path from 'image', label from 'MEL' and 'NV', each with 0 and 1" in capsys.readouterr().err
    assert choose_columns(isic, ReadOptions(label_column="age")).labels == ("age",)
    assert choose_columns(isic, ReadOptions(label_column="NV, MEL")).labels == ("NV", "MEL")
    assert choose_columns(isic, ReadOptions(label_from="(a|b)")).labels == ()
    with pytest.raises(DatasetError, match="has no column 'BCC': known: MEL"):
        choose_columns(isic, ReadOptions(label_column="MEL,BCC"))


@pytest.mark.parametrize(
    ("cell", "column", "split"),
    [
        ("Val", "subset", "validation"),
        ("1", "subset", None),
        ("True", "is_valid", "validation"),
        ("0", "Is Valid", "train"),
        ("", "is_valid", "train"),
        ("1.0", "is-test", "test"),
        ("maybe", "is_valid", None),
    ],
)
def test_a_cell_means_a_split_by_its_column(cell: str, column: str, split: str | None) -> None:
    assert split_of(cell, column) == split


@pytest.mark.parametrize(
    ("columns", "splits"),
    [
        (["path", "label", "is_valid", "is_test"], ("is_valid", "is_test")),
        (["path", "label", "is_test", "is_val"], ("is_test", "is_val")),
        (["path", "label", "is_test", "split", "is_valid"], ("split",)),
    ],
)
def test_is_valid_and_is_test_are_both_used(
    columns: list[str], splits: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose_columns(table(columns), ReadOptions()).splits == splits
    assert f"split from {' and '.join(map(repr, splits))}" in capsys.readouterr().err
    assert choose_columns(table(columns), ReadOptions(split_column=columns[-1])).splits == (columns[-1],)
    named = choose_columns(table(columns), ReadOptions(split_column=f"{columns[2]}, {columns[-1]}"))
    assert named.splits == (columns[2], columns[-1])


def test_two_columns_say_one_split() -> None:
    said = [split_word(cells, ("is_valid", "is_test"), "line 2 of a.csv") for cells in (("1", "0"), ("", "0"))]
    assert said == ["validation", "train"]
    assert split_word(("False", "True"), ("is_valid", "is_test"), "line 2 of a.csv") == "test"
    with pytest.raises(DatasetError, match=r"line 2 of a.csv says yes in 'is_valid' and 'is_test': an image is in one"):
        split_word(("1", "1"), ("is_valid", "is_test"), "line 2 of a.csv")
    with pytest.raises(DatasetError, match=r"line 2 of a.csv has 'x' in the column 'is_test'; expected yes or no"):
        split_word(("1", "x"), ("is_valid", "is_test"), "line 2 of a.csv")
