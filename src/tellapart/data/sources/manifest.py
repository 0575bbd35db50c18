"""Read images named in a table: a row for each, with its path and label, and optionally its split and group."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from tellapart.data.sources.folder import SPLIT_FOLDERS
from tellapart.data.sources.hash_index import FileList, hash_files
from tellapart.data.sources.path_resolver import PathResolver
from tellapart.data.sources.tables import Table, open_table
from tellapart.data.splits.draw_splits import SPLIT_NAMES
from tellapart.errors import DatasetError, did_you_mean
from tellapart.progress import notify

USUAL_NAMES = {
    "path": (
        "path", "filepath", "file_path", "image_path", "img_path", "file", "filename", "file_name", "image_file",
        "image", "image_name", "img", "picture", "photo", "image_id", "img_id", "id",
    ),
    "label": (
        "label", "labels", "class", "class_name", "classname", "label_name", "category", "category_name", "target",
    ),
    "split": ("split", "subset", "partition"),
    "group": ("group", "group_id"),
}  # fmt: skip
"""The usual names of each column, the best first."""


@dataclass(frozen=True)
class Columns:
    """The columns of paths and labels, and those of splits and groups, if any."""

    path: str
    label: str
    split: str | None
    group: str | None


def choose_columns(columns: Sequence[str], read_options: ReadOptions, table: str) -> Columns:
    """Choose the columns and print the guessed ones. Raises DatasetError that lists the columns of the table."""
    named = {use: getattr(read_options, f"{use}_column") for use in USUAL_NAMES}
    _require_known([name for name in named.values() if name is not None], columns, table)
    free = [name for name in columns if name not in named.values()]
    columns_by_use = {use: name or _usual_column(use, free) for use, name in named.items()}
    for use in ("path", "label"):
        if columns_by_use[use] is None:
            raise DatasetError(
                f"no column of {table} is called {use} or the like: its first line says {_shorten(columns)}. Name the "
                f"column with --{use}-column"
            )
    if guessed := [use for use, name in columns_by_use.items() if name and not named[use]]:
        guesses = ", ".join(f"{use} from {columns_by_use[use]!r}" for use in guessed)
        notify(f"{table}: columns taken by their names: {guesses}")
    return Columns(
        str(columns_by_use["path"]), str(columns_by_use["label"]), columns_by_use["split"], columns_by_use["group"]
    )


def _require_known(names: list[str], columns: Sequence[str], table: str) -> None:
    for name in names:
        if name not in columns:
            raise DatasetError(f"{table} has no column {name!r}: {did_you_mean(name, columns)}")
        if columns.count(name) > 1 or names.count(name) > 1:
            raise DatasetError(
                f"column {name!r} of {table} is there or asked for twice: give each use a column of its own"
            )


def _usual_column(use: str, columns: Sequence[str]) -> str | None:
    """Return the column with the best of the usual names, whatever its case, unless two columns share it."""
    by_plain_name = {
        name.lower().replace(" ", "_").replace("-", "_"): name for name in columns if columns.count(name) == 1
    }
    return next((by_plain_name[name] for name in USUAL_NAMES[use] if name in by_plain_name), None)


def _shorten(columns: Sequence[str], limit: int = 12) -> str:
    more = f" and {len(columns) - limit} more" if len(columns) > limit else ""
    return ", ".join(map(repr, columns[:limit])) + more


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
