"""Read images named in a table: a row for each, with its path and label, and optionally its split and group."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from sys import intern
from typing import NamedTuple

from tellapart.data.dataset import Dataset, ReadOptions, Skipped
from tellapart.data.read_image import not_a_file
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
    """The cells of one image; empty if the table lacks them."""

    number: int
    """The number of the line or row."""
    path: str
    label: str
    split: str
    group: str


def read_manifest(path: Path, read_options: ReadOptions) -> Dataset:
    """Read a CSV or Parquet table; paths are relative to its folder. Raises DatasetError."""
    classes, listed, skipped = _read(open_table(path), read_options)
    splits, unread = hash_files(listed)  # the rows are freed by now
    return Dataset(path.stem, classes, splits, skipped=(*skipped, *unread))


def _read(table: Table, read_options: ReadOptions) -> tuple[tuple[str, ...], dict[str, FileList], list[Skipped]]:
    where = str(table.path)
    columns = choose_columns(table.columns, read_options, where)
    rows, skipped = _labelled(_rows(table, columns), table)
    rows = _without_excluded(rows, read_options.exclude_label, where)
    classes = _classes(rows, where)
    present, missing = _resolve_paths(rows, table)
    _require_images(rows, present, missing, table)
    numbers = {name: label for label, name in enumerate(classes)}
    return classes, _listed(_distinct(present, where), numbers, columns, table), [*skipped, *missing]


def _rows(table: Table, columns: Columns) -> Iterator[Row]:
    wanted = [name for name in (columns.path, columns.label, columns.split, columns.group) if name is not None]
    for number, (path, label, *rest) in table.rows(wanted):
        split = intern(rest[0].strip()) if columns.split else ""
        group = intern(rest[-1].strip()) if columns.group else ""
        yield Row(number, path, intern(label.strip()), split, group)


def _labelled(rows: Iterator[Row], table: Table) -> tuple[list[Row], list[Skipped]]:
    """Select the rows with a path and a label, labels normalised; the others are skipped."""
    kept: list[Row] = []
    skipped: list[Skipped] = []
    spelled: dict[str, str] = {}
    for row in rows:
        if not row.path.strip():
            skipped.append(Skipped(str(table.path), f"has no path ({_row_name(row, table)})"))
        elif not row.label:
            skipped.append(Skipped(_join_path(table, row.path), f"has no label ({_row_name(row, table)})"))
        else:
            label = spelled.get(row.label) or spelled.setdefault(row.label, canonical(row.label))
            kept.append(row if label == row.label else row._replace(label=label))
    for label in sorted(set(spelled.values())):
        spellings = sorted(name for name, spelling in spelled.items() if spelling == label)
        if len(spellings) > 1:
            notify(f"{table.path}: labels spelled {' and '.join(map(ascii, spellings))} are one class, {label}")
    return kept, skipped


def _row_name(row: Row, table: Table) -> str:
    return f"{table.numbered_by} {row.number} of {table.path}"


def _join_path(table: Table, path: str) -> str:
    return os.path.join(table.path.parent, path)  # noqa: PTH118  100,000 Path objects would cost 50 MB


def _without_excluded(rows: list[Row], exclude: Sequence[str], where: str) -> list[Row]:
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


def _resolve_paths(rows: list[Row], table: Table) -> tuple[list[Row], list[Skipped]]:
    """Resolve the path of each row's file; rows without a file are skipped."""
    resolver = PathResolver(str(table.path.parent), str(table.path))
    paths = [resolver.in_folder(row.path) for row in rows]
    if not any(paths):
        paths = [resolver.below(row.path) for row in rows]
    kept: list[Row] = []
    skipped: list[Skipped] = []
    for row, path in zip(rows, paths, strict=True):
        resolved = (path or _join_path(table, row.path)).removeprefix(f"{os.curdir}{os.sep}")
        reason = not_a_file(resolved)
        if reason is None:
            kept.append(row._replace(path=resolved))
        else:
            skipped.append(Skipped(resolved, f"{reason} ({_row_name(row, table)})"))
    return kept, skipped


def _require_images(rows: list[Row], present: list[Row], missing: list[Skipped], table: Table) -> None:
    if not present:
        raise DatasetError(
            f"none of the {len(rows):,} images that {table.path} names is there, such as {missing[0].path}: paths "
            f"begin at the folder of the table, or at a folder below it"
        )
    left = {row.label for row in present}
    lost = [row for row in rows if row.label not in left]
    if lost:
        label = lost[0].label
        raise DatasetError(
            f"class {label!r} of {table.path} has no image: none of its {sum(row.label == label for row in lost):,} "
            f"files is there, such as {lost[0].path} ({_row_name(lost[0], table)}). Put them there, or leave the class "
            f"out with --exclude-label"
        )


def _distinct(rows: list[Row], where: str) -> list[Row]:
    """Drop repeated rows: an image stays once for each label, split and group it is given."""
    distinct: dict[tuple[str, ...], Row] = {}
    for row in rows:
        distinct.setdefault((os.path.normpath(row.path), row.label, row.split, row.group), row)
    if len(distinct) < len(rows):
        notify(f"{where}: rows that repeat another row, ignored: {len(rows) - len(distinct):,}")
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
            part.groups.append(row.group or row.path)  # without a group, an image is a group of its own
    return {name: listed[name] for name in (*SPLIT_NAMES, "all") if name in listed}


def _split(row: Row, columns: Columns, table: Table) -> str:
    split = SPLIT_FOLDERS.get(row.split.lower())
    if split is None:
        raise DatasetError(
            f"{_row_name(row, table)} has {row.split!r} in the column {columns.split!r}; expected one of "
            f"{', '.join(SPLIT_FOLDERS)}. Name another column with --split-column"
        )
    return split
