"""Read images named in a table: a row for each, with its path and label, and optionally its split and group."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
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
from tellapart.data.sources.columns import Columns, choose_columns, not_a_split, split_of, split_word
from tellapart.data.sources.hash_index import FileList, hash_files
from tellapart.data.sources.labels import LabelPattern, one_hot_label
from tellapart.data.sources.listing import walk_items
from tellapart.data.sources.path_resolver import PathResolver
from tellapart.data.sources.table import Cells, Table
from tellapart.data.splits.draw_splits import SPLIT_NAMES
from tellapart.errors import DatasetError
from tellapart.progress import notify
from tellapart.text import counted

WALKED = 10  # files per named image that are looked through for images that no row names


class Row(NamedTuple):
    """The cells of one image; empty if the table lacks them."""

    number: int
    """The number of the line or row."""
    path: str
    label: str
    split: str
    group: str


def read_manifest(table: Table, read_options: ReadOptions) -> Dataset:
    """Read a table; paths are relative to `--root`, else to its folder. Raises DatasetError."""
    classes, listed, skipped, unlabelled = _read(table, read_options)
    splits, unread = hash_files(listed)  # the rows are freed by now
    return Dataset(table.path.stem, classes, splits, skipped=(*skipped, *unread), unlabelled=unlabelled)


def _read(
    table: Table, read_options: ReadOptions
) -> tuple[tuple[str, ...], dict[str, FileList], list[Skipped], tuple[str, ...]]:
    where = str(table.path)
    columns = choose_columns(table, read_options)
    pattern = LabelPattern.of(read_options.label_from) if read_options.label_from else None
    rows, unlabelled = _labelled(_rows(table, columns, pattern), table)
    _report_unlabelled_splits(rows, unlabelled, columns, where)
    others = {_stem(row.path) for row in unlabelled}
    skipped = [_without_path_or_label(row, table) for row in unlabelled]
    everything, rows = rows, _without_excluded(rows, read_options, where)
    if len(rows) < len(everything):
        others |= {_stem(row.path) for row in everything}
    classes = _classes(rows, where)
    base = str(read_options.root or _folder(table))
    present, missing = _resolve_paths(rows, table, base, moved=read_options.root is not None)
    _require_images(rows, present, missing, table)
    unnamed = () if columns.path in table.embedded else _unnamed(present, others)
    numbers = {name: label for label, name in enumerate(classes)}
    return classes, _listed(_distinct(present, where), numbers, columns, table), [*skipped, *missing], unnamed


def _rows(table: Table, columns: Columns, pattern: LabelPattern | None) -> Iterator[Row]:
    labels, splits = len(columns.labels), len(columns.labels) + len(columns.splits)
    for number, (path, *cells) in table.rows(columns.all):
        split = split_word(cells[labels:splits], columns.splits, table.place(number)) if columns.splits else ""
        group = intern(cells[splits].strip()) if columns.group else ""
        label = pattern.label(path) if pattern else _label(columns, cells[:labels], table.place(number))
        yield Row(number, path, intern(label.strip()), intern(split), group)


def _label(columns: Columns, cells: Cells, row: str) -> str:
    return cells[0] if len(cells) == 1 else one_hot_label(columns.labels, cells, row)


def _labelled(rows: Iterator[Row], table: Table) -> tuple[list[Row], list[Row]]:
    """Divide the rows into those with a path and a label, labels normalised, and the others."""
    kept: list[Row] = []
    others: list[Row] = []
    spelled: dict[str, str] = {}
    for row in rows:
        if not row.path.strip() or not row.label:
            others.append(row)
        else:
            label = spelled.get(row.label) or spelled.setdefault(row.label, canonical(row.label))
            kept.append(row if label == row.label else row._replace(label=label))
    for label in sorted(set(spelled.values())):
        spellings = sorted(name for name, spelling in spelled.items() if spelling == label)
        if len(spellings) > 1:
            notify(f"{table.path}: labels spelled {' and '.join(map(ascii, spellings))} are one class, {label}")
    return kept, others


def _without_path_or_label(row: Row, table: Table) -> Skipped:
    if not row.path.strip():
        return Skipped(str(table.path), f"has no path ({table.place(row.number)})")
    return Skipped(_join_path(_folder(table), row.path), f"has no label ({table.place(row.number)})")


def _report_unlabelled_splits(rows: list[Row], unlabelled: list[Row], columns: Columns, where: str) -> None:
    """Report splits of which no row has a label: none is read, and another is drawn where one is needed."""
    if not columns.splits:
        return
    read = {_split_of(row, columns) for row in rows}
    lost = Counter(_split_of(row, columns) for row in unlabelled)
    for split, count in lost.items():
        if split is not None and split not in read:
            notify(
                f"{where}: none of the {counted(count, 'row')} of {split} has a label, so another {split} split is "
                f"drawn. `tellapart predict` classifies those images afterwards"
            )


def _folder(table: Table) -> str:
    """Return the folder in which a table's paths begin: its own, or itself where it is a folder of tables."""
    return str(table.path if table.path.is_dir() else table.path.parent)


def _join_path(folder: str, path: str) -> str:
    return os.path.join(folder, path)  # noqa: PTH118  100,000 Path objects would cost 50 MB


def _without_excluded(rows: list[Row], read_options: ReadOptions, where: str) -> list[Row]:
    if not rows:
        by = f" that --label-from {read_options.label_from!r} finds" if read_options.label_from else ""
        raise DatasetError(f"{where} has no row with a path and a label{by}")
    leave_out = parse_excluded(read_options.exclude_label, {row.label for row in rows}, where)
    return [row for row in rows if row.label not in leave_out] if leave_out else rows


def _classes(rows: list[Row], where: str) -> tuple[str, ...]:
    names = sorted({row.label for row in rows})
    require_printable(names, f"class {{}} of {where}")
    require_distinct_case(names, where)
    require_two_classes(names, where, "Name the column of the labels with --label-column")
    return tuple(names)


def _resolve_paths(rows: list[Row], table: Table, base: str, *, moved: bool) -> tuple[list[Row], list[Skipped]]:
    """Resolve the path of each row's file; rows without a file are skipped. `moved` paths may begin elsewhere."""
    encoding = None if (table.encoding or "utf").lower().startswith("utf") else table.encoding
    resolver = PathResolver(base, str(table.path), encoding)
    paths = [resolver.in_folder(row.path) for row in rows]
    if not any(paths):
        paths = [resolver.below(row.path) for row in rows]
    if moved or not any(paths):
        paths = [path or resolver.from_elsewhere(row.path) for row, path in zip(rows, paths, strict=True)]
    kept: list[Row] = []
    skipped: list[Skipped] = []
    for row, path in zip(rows, paths, strict=True):
        resolved = (path or _join_path(base, row.path)).removeprefix(f"{os.curdir}{os.sep}")
        reason = not_a_file(resolved)
        if reason is None:
            kept.append(row._replace(path=resolved))
        else:
            skipped.append(Skipped(resolved, f"{reason} ({table.place(row.number)})"))
    return kept, skipped


def _require_images(rows: list[Row], present: list[Row], missing: list[Skipped], table: Table) -> None:
    if not present:
        raise DatasetError(
            f"none of the {len(rows):,} images that {table.path} names is there, such as {missing[0].path}: paths "
            f"begin at the folder of the table, or at a folder below it; name another folder with --root"
        )
    left = {row.label for row in present}
    lost = [row for row in rows if row.label not in left]
    if lost:
        label = lost[0].label
        raise DatasetError(
            f"class {label!r} of {table.path} has no image: none of its {sum(row.label == label for row in lost):,} "
            f"files is there, such as {lost[0].path} ({table.place(lost[0].number)}). Put them there, or leave the "
            f"class out with --exclude-label"
        )


def _unnamed(present: list[Row], others: set[str]) -> tuple[str, ...]:
    """Find the images that no row names, in the folder that has all the others; `others` are known by their stems.

    The search ends where the folder has much else, such as a person's home.
    """
    named = {os.path.normpath(row.path) for row in present}
    try:
        folder = os.path.commonpath([os.path.dirname(path) or os.curdir for path in named])  # noqa: PTH120
        items = [item.path for item in islice(walk_items(folder), WALKED * len(named) + 1_000) if item.kind == "image"]
    except (ValueError, DatasetError):  # relative and absolute paths; or a folder that cannot be listed
        return ()
    return tuple(path for path in map(os.path.normpath, items) if path not in named and _stem(path) not in others)


def _stem(path: str) -> str:
    return os.path.splitext(path.strip().replace("\\", "/").rpartition("/")[2])[0]  # noqa: PTH122


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


def _split_of(row: Row, columns: Columns) -> str | None:
    return split_of(row.split, columns.splits[0]) if len(columns.splits) == 1 else row.split


def _split(row: Row, columns: Columns, table: Table) -> str:
    split = _split_of(row, columns)
    if split is None:
        raise not_a_split(row.split, columns.splits[0], table.place(row.number))
    return split
