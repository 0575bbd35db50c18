"""Answers as files: the same facts in each form, null where an image has none."""

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tellapart.bundles.batch import table_formats
from tellapart.bundles.batch.table_formats import TABLE_FORMATS, cells, columns, table_format_for
from tellapart.errors import MissingPackageError, RunError

parquet = pytest.importorskip("pyarrow.parquet")
ODD = os.fsdecode(b"a\xff, b.png")  # a file's name need not be text
KNOWN: dict[str, Any] = {
    "path": ODD,
    "label": 'a "cat"',
    "probability": 0.75,
    "unknown": True,
    "top": [{"label": 'a "cat"', "probability": 0.75}, {"label": "dog", "probability": 0.25}],
}
ROWS = [KNOWN, {"path": "b.png", "error": "not an image,\nat all"}]


def written(ending: str, rows: list[dict[str, Any]], top: int = 2) -> bytes:
    stream = io.BytesIO()
    TABLE_FORMATS[ending].write(stream, iter(rows), top)
    return stream.getvalue()


def test_a_table_has_columns_for_each_class() -> None:
    assert columns(1) == ["path", "label", "probability", "unknown", "error"]
    assert columns(3)[4:8] == ["label_2", "probability_2", "label_3", "probability_3"]
    assert cells(KNOWN, 2) == [ODD, 'a "cat"', 0.75, True, "dog", 0.25, None]
    assert cells(ROWS[1], 2) == ["b.png", None, None, None, None, None, "not an image,\nat all"]


def test_json_lines_equal_the_output_of_predict() -> None:
    assert [json.loads(line) for line in written(".jsonl", ROWS).splitlines()] == ROWS


def test_csv_quotes_values_and_keeps_paths_that_are_not_utf8() -> None:
    text = written(".csv", ROWS).decode(errors="surrogateescape")
    assert list(csv.DictReader(io.StringIO(text))) == [
        {"path": ODD, "label": 'a "cat"', "probability": "0.750000", "unknown": "yes",
         "label_2": "dog", "probability_2": "0.250000", "error": ""},
        {"path": "b.png", "label": "", "probability": "", "unknown": "", "label_2": "", "probability_2": "",
         "error": "not an image,\nat all"},
    ]  # fmt: skip


def test_parquet_has_types_and_nulls() -> None:
    table = parquet.read_table(io.BytesIO(written(".parquet", ROWS)))
    assert [str(field.type) for field in table.schema] == [
        "string", "string", "float", "bool", "string", "float", "string"
    ]  # fmt: skip
    assert table.to_pylist() == [
        dict(zip(columns(2), ["a\\xff, b.png", *cells(KNOWN, 2)[1:]], strict=True)),
        dict(zip(columns(2), cells(ROWS[1], 2), strict=True)),
    ]


def test_parquet_is_written_in_groups_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_formats, "GROUP_CELLS", 30)
    file = parquet.ParquetFile(io.BytesIO(written(".parquet", ROWS * 5)))
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [4, 4, 2]
    assert file.read().column("path").to_pylist() == ["a\\xff, b.png", "b.png"] * 5


@pytest.mark.parametrize("ending", TABLE_FORMATS)
def test_no_images_give_an_empty_table(ending: str) -> None:
    content = written(ending, [])
    if ending == ".parquet":
        assert parquet.read_table(io.BytesIO(content)).num_rows == 0
    else:
        assert content.count(b"\n") == (ending == ".csv")


@pytest.mark.parametrize("name", ["a.txt", "a", "a.parquet.gz"])
def test_another_suffix_is_refused(name: str) -> None:
    with pytest.raises(RunError, match=r"expected \.parquet or \.csv or \.jsonl"):
        table_format_for(Path(name))


def test_the_suffix_is_case_insensitive() -> None:
    assert table_format_for(Path("A.CSV")) is TABLE_FORMATS[".csv"]


def test_a_missing_parquet_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'tellapart\[parquet\]'"):
        table_format_for(Path("a.parquet"))
    table_format_for(Path("a.csv"))
