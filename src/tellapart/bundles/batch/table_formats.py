"""Answers as a file: Parquet, comma-separated values or JSON lines, a row for each image, in fixed memory."""

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
"""What `Prediction.as_json` or `Unreadable.as_json` gives."""

GROUP_CELLS = 100_000  # of a Parquet row group: some MB while it is gathered


def write_lines(stream: BinaryIO, rows: Iterable[Row], top: int) -> None:
    """A JSON object on each line, as `predict --json` prints them."""
    del top  # each row names its classes
    for row in rows:
        stream.write(json.dumps(row).encode() + b"\n")


def write_csv(stream: BinaryIO, rows: Iterable[Row], top: int) -> None:
    """A table in UTF-8, probabilities with six digits; a path that is no text stays the bytes that it is."""
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns(top))
    for row in rows:
        table.writerow([_plain(value) for value in cells(row, top)])
    text.detach()


def write_parquet(stream: BinaryIO, rows: Iterable[Row], top: int) -> None:
    """A table of text, float32 and bool; what does not apply is null. Raises MissingPackageError.

    A path's bytes that are no text are written as in Python: a backslash, an x and two digits.
    """
    arrow, parquet = require("pyarrow", extra="parquet"), require("pyarrow.parquet", extra="parquet")
    names = columns(top)
    kinds = {"probability": arrow.float32(), "unknown": arrow.bool_()}
    schema = arrow.schema([(name, kinds.get(name.partition("_")[0], arrow.string())) for name in names])
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        for group in _groups((cells(row, top) for row in rows), max(1, GROUP_CELLS // len(names))):
            values = [[_text(row[place]) for row in group] for place in range(len(names))]
            writer.write_table(arrow.table(values, schema=schema))


@dataclass(frozen=True)
class Form:
    """How a file is written, and the package that it takes, which tellapart's extra of the form's name brings."""

    write: Callable[[BinaryIO, Iterable[Row], int], None]
    package: str | None = None


FORMS = {".parquet": Form(write_parquet, "pyarrow"), ".csv": Form(write_csv), ".jsonl": Form(write_lines)}


def form_of(path: Path) -> Form:
    """Tell a file's form by its ending. Raises RunError for another, MissingPackageError when its package is."""
    ending = path.suffix.lower()
    if ending not in FORMS:
        raise RunError(f"{path} ends in {ending or 'nothing'!r}; expected a file that ends in {' or '.join(FORMS)}")
    form = FORMS[ending]
    if form.package:
        require(form.package, extra=ending.removeprefix("."))
    return form


def columns(top: int) -> list[str]:
    """The names of a table's columns where `top` classes are named."""
    further = [f"{name}_{place}" for place in range(2, top + 1) for name in ("label", "probability")]
    return ["path", "label", "probability", "unknown", *further, "error"]


def cells(row: Row, top: int) -> list[Any]:
    """A row's values, in the order of `columns`; None for what does not apply."""
    if "error" in row:
        return [row["path"], *[None] * (2 * top + 1), row["error"]]
    further = [choice[name] for choice in row["top"][1:] for name in ("label", "probability")]
    return [row["path"], row["label"], row["probability"], row["unknown"], *further, None]


def _plain(value: object) -> object:
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
