"""Which columns of a table say what."""

import pytest

from tellapart.data.dataset import ReadOptions
from tellapart.data.sources.columns import Columns, choose_columns
from tellapart.errors import DatasetError


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["path", "label", "split", "group"], Columns("path", "label", "split", "group")),
        (["id", "Class", "age", "Image Path"], Columns("Image Path", "Class", None, None)),
        (["image", "sender_id", "label", "kids"], Columns("image", "label", None, None)),
        (["category", "file-name", "fold", "SUBSET"], Columns("file-name", "category", "SUBSET", None)),
    ],
)
def test_usual_names_are_taken_and_said(
    columns: list[str], expected: Columns, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose_columns(columns, ReadOptions(), "labels.csv") == expected
    said = capsys.readouterr().err
    assert said.startswith("labels.csv: columns taken by their names: path from")
    assert f"label from {expected.label!r}" in said
    assert ("split from" in said, "group from" in said) == (expected.split is not None, expected.group is not None)


def test_what_a_person_names_goes_first_and_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    read_options = ReadOptions(path_column="url", label_column="image", group_column="sender")
    columns = choose_columns(["image", "url", "label", "sender", "split"], read_options, "labels.csv")
    assert columns == Columns("url", "image", "split", "sender")
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
        choose_columns(columns, read_options, "t.csv")
