"""Choose the columns of a table: those named in the options, else those with a usual name."""

from collections.abc import Sequence
from dataclasses import dataclass

from tellapart.data.dataset import ReadOptions
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
