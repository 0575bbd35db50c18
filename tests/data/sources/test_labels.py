"""Labels that have no column of their own."""

from pathlib import Path

import pytest

from tellapart.data.sources.labels import LabelPattern, one_hot_columns, one_hot_label
from tellapart.data.sources.tables import open_table
from tellapart.errors import DatasetError


@pytest.mark.parametrize(
    ("lines", "columns"),
    [
        (["a,1.0,0.0,0,3", "b,0.0,1.0,0,4"], ("MEL", "NV", "BCC")),
        (["a,True,False,,3", "b,False,TRUE,,4"], ("MEL", "NV", "BCC")),
        (["a,1,0,0,3", "b,0,1,1,4"], ()),  # two classes at once
        (["a,1,0.5,2,3"], ()),  # one column is left
        (["a,0.3,0.7,0.1,3"], ()),
    ],
)
def test_columns_of_0_and_1_with_one_1_a_row_are_classes(
    tmp_path: Path, lines: list[str], columns: tuple[str, ...]
) -> None:
    (tmp_path / "a.csv").write_text("\n".join(["image,MEL,NV,BCC,age", *lines]))
    assert one_hot_columns(open_table(tmp_path / "a.csv"), ["MEL", "NV", "BCC", "age"]) == columns


def test_the_class_of_a_row_is_the_column_of_its_1() -> None:
    assert one_hot_label(["a", "b"], ["0.0", " 1.0"], "line 2") == "b"
    assert one_hot_label(["a", "b"], ["0", ""], "line 2") == ""
    with pytest.raises(DatasetError, match="line 2 has a 1 for 'a' and for 'b'; expected one class per image"):
        one_hot_label(["a", "b"], ["1", "1"], "line 2")
    with pytest.raises(DatasetError, match=r"line 2 has '0.5' in the column 'b'; expected 0 or 1"):
        one_hot_label(["a", "b"], ["1", "0.5"], "line 2")


@pytest.mark.parametrize(
    ("expression", "label"),
    [
        (r"(cat|dog)\.", "dog"),
        (r"cat|dog", "dog"),
        (r"_(\d+)_(?P<label>[a-z]+)", "left"),
        (r"^([^/]+)/", "set"),
        (r"(bird)?", ""),
        (r"fish", ""),
    ],
)
def test_the_label_in_a_path_is_a_group_of_the_expression(expression: str, label: str) -> None:
    assert LabelPattern.of(expression).label("set\\7_12_left dog.9.jpg") == label


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"--label-from '\(cat' is no regular expression \(missing \), "):
        LabelPattern.of("(cat")
