"""Table formats of predictions: Parquet, CSV or JSON lines, a row per image, in constant memory."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from tellapart.errors import RunError, require

Row = dict[str, Any]
"""The result of `Prediction.as_json` or `Unreadable.as_json`."""

GROUP_CELLS = 100_000  # of a Parquet row group, some MB in memory


def write_lines(stream: BinaryIO, rows: Iterable[Row], top: int) -> None:
    """Write a JSON object on each line, as `predict --json` prints them."""
    del top  # each row has its own classes
    for row in rows:
        stream.write(json.dumps(row).encode() + b"\n")


def write_csv(stream: BinaryIO, rows: Iterable[Row], top: int) -> None:
    """Write a table in UTF-8, with probabilities of six digits; paths that are not UTF-8 keep their bytes."""
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns(top))
    for row in rows:
        table.writerow([_csv_cell(value) for value in cells(row, top)])
    text.detach()


def write_parquet(stream: BinaryIO, rows: Iterable[Row], top: int) -> None:
    """Write a table of text, float32 and bool, with nulls where a column does not apply. Raises MissingPackageError.

    Bytes of a path that are not UTF-8 are written with backslash escapes.
    """
    arrow, parquet = require("pyarrow", extra="parquet"), require("pyarrow.parquet", extra="parquet")
    names = columns(top)
    kinds = {"probability": arrow.float32(), "unknown": arrow.bool_()}
    schema = arrow.schema([(name, kinds.get(name.partition("_")[0], arrow.string())) for name in names])
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        for group in _groups((cells(row, top) for row in rows), max(1, GROUP_CELLS // len(names))):
            values = [[_text(row[i]) for row in group] for i in range(len(names))]
            writer.write_table(arrow.table(values, schema=schema))


@dataclass(frozen=True)
class TableFormat:
    """A function that writes a file, and the package it requires, from tellapart's extra of the same name."""

    write: Callable[[BinaryIO, Iterable[Row], int], None]
    package: str | None = None


TABLE_FORMATS = {
    ".parquet": TableFormat(write_parquet, "pyarrow"),
    ".csv": TableFormat(write_csv),
    ".jsonl": TableFormat(write_lines),
}


def table_format_for(path: Path) -> TableFormat:
    """Return the format of a file by its suffix. Raises RunError, MissingPackageError."""
    suffix = path.suffix.lower()
    if suffix not in TABLE_FORMATS:
        raise RunError(f"{path} has the suffix {suffix!r}, expected {' or '.join(TABLE_FORMATS)}")
    table_format = TABLE_FORMATS[suffix]
    if table_format.package:
        require(table_format.package, extra=suffix.removeprefix("."))
    return table_format


def columns(top: int) -> list[str]:
    """Return the column names of a table with `top` classes."""
    further = [f"{name}_{rank}" for rank in range(2, top + 1) for name in ("label", "probability")]
    return ["path", "label", "probability", "unknown", *further, "error"]


def cells(row: Row, top: int) -> list[Any]:
    """Return the values of a row in the order of `columns`; None where a column does not apply."""
    if "error" in row:
        return [row["path"], *[None] * (2 * top + 1), row["error"]]
    further = [entry[name] for entry in row["top"][1:] for name in ("label", "probability")]
    return [row["path"], row["label"], row["probability"], row["unknown"], *further, None]


def _csv_cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6f}" if isinstance(value, float) else value


def _text(value: object) -> object:
    if not isinstance(value, str):
        return value
    return value.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _groups(rows: Iterator[Sequence[Any]], size: int) -> Iterator[list[Sequence[Any]]]:
    while group := list(islice(rows, size)):
        yield group
