"""`tellapart split`."""

import shlex
from dataclasses import asdict, replace
from pathlib import Path

from tellapart.checking.check import check_cheap
from tellapart.checking.near_duplicates import with_duplicate_families
from tellapart.cli.options import READ_DEFAULTS, Json, ReadAs
from tellapart.cli.output import aligned, print_json
from tellapart.data.dataset import Dataset, ReadOptions
from tellapart.data.splits.draw_splits import SPLIT_NAMES, draw_splits, share_notes
from tellapart.data.splits.grouping import group_by_folder
from tellapart.data.splits.split_csv import require_files, save_split
from tellapart.errors import DatasetError
from tellapart.progress import notify
from tellapart.text import printable


def split(
    source: str,
    /,
    *,
    fractions: str,
    save: Path,
    read_options: ReadAs = READ_DEFAULTS,
    group_by: str | None = None,
    seed: int = 0,
    json: Json = False,
) -> None:
    """Divide labelled images into train, validation and test, and write the division as a table to train from.

    Duplicates, near-duplicates and the images of a group stay in one part. An image's content and the seed decide its
    part, so that images added later move none of the old ones. Splits that the source has are kept.

        tellapart split photos --fractions 0.7,0.15,0.15 --save split.csv

    Parameters
    ----------
    source
        Labelled images in files, as for train.
    fractions
        Shares of train, validation and test, which add up to 1: 0.7,0.15,0.15.
    save
        The table: a CSV file with path, label, split and group; `tellapart train` reads it.
    group_by
        What stays together: a column of the source's table, or, for a folder, how many folders below the class folder
        make a group (1: cat/monday/3.jpg belongs to cat/monday).
    seed
        Another seed makes another division.
    """
    validation, test = _parse_fractions(fractions)
    dataset = _open_grouped(source, read_options, group_by)
    require_files(dataset)
    whole = with_duplicate_families(dataset)
    dataset = draw_splits(whole, validation=validation, test=test, seed=seed)
    notes = share_notes(whole, dataset, validation=validation, test=test)
    save_split(dataset, save)
    findings = check_cheap(dataset)
    if json:
        print_json(_as_json(dataset, save) | {"notes": notes, "findings": [asdict(finding) for finding in findings]})
    else:
        print(_table(dataset))
    for note in notes:
        notify(note)
    for finding in findings:
        notify(f"{finding.severity}: {printable(finding.sentence)}")
    notify(f"split: {save}\ntry: tellapart train {shlex.quote(str(save))}")


def _parse_fractions(text: str) -> tuple[float, float]:
    """Return the shares of validation and test; train has the rest. Raises DatasetError."""
    try:
        train, validation, test = map(float, text.split(","))
    except ValueError:
        pass
    else:
        if train > 0 and validation >= 0 and test >= 0 and abs(train + validation + test - 1) < 1e-6:
            return validation, test
    raise DatasetError(
        f"--fractions is {text}; expected the shares of train, validation and test, which add up to 1: 0.7,0.15,0.15"
    )


def _open_grouped(source: str, read_options: ReadOptions, group_by: str | None) -> Dataset:
    """Open the source with its groups, if there are any. Raises DatasetError."""
    if group_by is None:
        return Dataset.open(source, read_options)
    if read_options.group_column:
        raise DatasetError(
            f"--group-by is {group_by} and --group-column is {read_options.group_column}: give one of the two"
        )
    if group_by.isdecimal():
        return group_by_folder(Dataset.open(source, read_options), int(group_by))
    return Dataset.open(source, replace(read_options, group_column=group_by))


def _table(dataset: Dataset) -> str:
    names = [name for name in SPLIT_NAMES if name in dataset.splits]
    columns = [dataset.counts(name).tolist() for name in names]
    rows = [
        [printable(label), *(f"{count:,}" for count in counts)]
        for label, *counts in zip(dataset.classes, *columns, strict=True)
    ]
    return aligned([["class", *names], *rows, ["in all", *(f"{sum(column):,}" for column in columns)]])


def _as_json(dataset: Dataset, table: Path) -> dict[str, object]:
    return {
        "table": table,
        "name": dataset.name,
        "classes": dataset.classes,
        "counts": {name: dataset.counts(name).tolist() for name in dataset.splits},
    }
