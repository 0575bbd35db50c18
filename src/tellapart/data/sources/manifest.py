"""Images that a table names: a row for each with its path, its label, and perhaps its split and its group."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from sys import intern
from typing import NamedTuple

from tellapart.data.dataset import Dataset, ReadOptions, Skipped
from tellapart.data.image_file import not_a_file
from tellapart.data.sources.class_names import (
    canonical,
    parse_excluded,
    require_distinct_case,
    require_printable,
    require_two_classes,
)
from tellapart.data.sources.columns import Columns, choose_columns
from tellapart.data.sources.folder_layout import SPLIT_FOLDERS
from tellapart.data.sources.hash_files import FileList, hash_files
from tellapart.data.sources.path_resolver import PathResolver
from tellapart.data.sources.tables import Table, open_table
from tellapart.data.splits.draw_splits import SPLIT_NAMES
from tellapart.errors import DatasetError
from tellapart.progress import notify


class Row(NamedTuple):
    """What a table says of one image; what it does not say is empty."""

    number: int
    """Of the line or row."""
    path: str
    label: str
    split: str
    group: str


def read_manifest(path: Path, read_options: ReadOptions) -> Dataset:
    """Read a CSV or Parquet table; relative paths begin at its folder. Raises DatasetError."""
    classes, listed, skipped = _read(open_table(path), read_options)
    splits, unread = hash_files(listed)  # by now the rows are gone from memory
    return Dataset(path.stem, classes, splits, skipped=(*skipped, *unread))


def _read(table: Table, read_options: ReadOptions) -> tuple[tuple[str, ...], dict[str, FileList], list[Skipped]]:
    where = str(table.path)
    columns = choose_columns(table.columns, read_options, where)
    rows, skipped = _labelled(_rows(table, columns), table)
    rows = _wanted(rows, read_options.exclude_label, where)
    classes = _classes(rows, where)
    there, missing = _found(rows, table)
    _require_images(rows, there, missing, table)
    numbers = {name: label for label, name in enumerate(classes)}
    return classes, _listed(_distinct(there, where), numbers, columns, table), [*skipped, *missing]


def _rows(table: Table, columns: Columns) -> Iterator[Row]:
    wanted = [name for name in (columns.path, columns.label, columns.split, columns.group) if name is not None]
    for number, (path, label, *rest) in table.rows(wanted):
        split = intern(rest[0].strip()) if columns.split else ""
        group = intern(rest[-1].strip()) if columns.group else ""
        yield Row(number, path, intern(label.strip()), split, group)


def _labelled(rows: Iterator[Row], table: Table) -> tuple[list[Row], list[Skipped]]:
    """The rows with a path and a label, each label in its one spelling; the others are left out."""
    good: list[Row] = []
    bad: list[Skipped] = []
    spelled: dict[str, str] = {}
    for row in rows:
        if not row.path.strip():
            bad.append(Skipped(str(table.path), f"has no path ({_place(row, table)})"))
        elif not row.label:
            bad.append(Skipped(_joined(table, row.path), f"has no label ({_place(row, table)})"))
        else:
            label = spelled.get(row.label) or spelled.setdefault(row.label, canonical(row.label))
            good.append(row if label == row.label else row._replace(label=label))
    for label in sorted(set(spelled.values())):
        same = sorted(one for one, spelling in spelled.items() if spelling == label)
        if len(same) > 1:
            notify(f"{table.path}: labels spelled {' and '.join(map(ascii, same))} are one class, {label}")
    return good, bad


def _place(row: Row, table: Table) -> str:
    return f"{table.counts} {row.number} of {table.path}"


def _joined(table: Table, path: str) -> str:
    return os.path.join(table.path.parent, path)  # noqa: PTH118  100,000 Path objects would cost 50 MB


def _wanted(rows: list[Row], exclude: Sequence[str], where: str) -> list[Row]:
    if not rows:
        raise DatasetError(f"{where} has no row with a path and a label")
    leave_out = parse_excluded(exclude, {row.label for row in rows}, where)
    return [row for row in rows if row.label not in leave_out] if leave_out else rows


def _classes(rows: list[Row], where: str) -> tuple[str, ...]:
    names = sorted({row.label for row in rows})
    require_printable(names, f"class {{}} of {where}")
    require_distinct_case(names, where)
    require_two_classes(names, where, "Name the column of the labels with --label-column")
    return tuple(names)


def _found(rows: list[Row], table: Table) -> tuple[list[Row], list[Skipped]]:
    """The rows with the path of each one's file; and what is not there."""
    finder = PathResolver(str(table.path.parent), str(table.path))
    paths = [finder.beside(row.path) for row in rows]
    if not any(paths):
        paths = [finder.below(row.path) for row in rows]
    good: list[Row] = []
    bad: list[Skipped] = []
    for row, path in zip(rows, paths, strict=True):
        meant = (path or _joined(table, row.path)).removeprefix(f"{os.curdir}{os.sep}")
        reason = not_a_file(meant)
        if reason is None:
            good.append(row._replace(path=meant))
        else:
            bad.append(Skipped(meant, f"{reason} ({_place(row, table)})"))
    return good, bad


def _require_images(rows: list[Row], there: list[Row], missing: list[Skipped], table: Table) -> None:
    if not there:
        raise DatasetError(
            f"none of the {len(rows):,} images that {table.path} names is there, such as {missing[0].path}: paths "
            f"begin at the folder of the table, or at a folder below it"
        )
    left = {row.label for row in there}
    lost = [row for row in rows if row.label not in left]
    if lost:
        label = lost[0].label
        raise DatasetError(
            f"class {label!r} of {table.path} has no image: none of its {sum(row.label == label for row in lost):,} "
            f"files is there, such as {lost[0].path} ({_place(lost[0], table)}). Put them there, or leave the class "
            f"out with --exclude-label"
        )


def _distinct(rows: list[Row], where: str) -> list[Row]:
    """Each image once for each label, split and group that it is given: what is said twice counts once."""
    distinct: dict[tuple[str, ...], Row] = {}
    for row in rows:
        distinct.setdefault((os.path.normpath(row.path), row.label, row.split, row.group), row)
    if len(distinct) < len(rows):
        notify(f"{where}: rows that say again what another row says, and count once: {len(rows) - len(distinct):,}")
    return list(distinct.values())


def _listed(rows: list[Row], numbers: Mapping[str, int], columns: Columns, table: Table) -> dict[str, FileList]:
    grouped = any(row.group for row in rows)
    divided = any(row.split for row in rows)
    listed: dict[str, FileList] = {}
    for row in rows:
        split = _split(row, columns, table) if divided else "all"
        part = listed.setdefault(split, FileList(groups=[] if grouped else None))
        part.paths.append(row.path)
        part.labels.append(numbers[row.label])
        if part.groups is not None:
            part.groups.append(row.group or row.path)  # who belongs to no group is one
    return {name: listed[name] for name in (*SPLIT_NAMES, "all") if name in listed}


def _split(row: Row, columns: Columns, table: Table) -> str:
    split = SPLIT_FOLDERS.get(row.split.lower())
    if split is None:
        raise DatasetError(
            f"{_place(row, table)} has {row.split!r} in the column {columns.split!r}; expected one of "
            f"{', '.join(SPLIT_FOLDERS)}. Name another column with --split-column"
        )
    return split
