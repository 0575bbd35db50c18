"""Which columns of a table say what: those that a person names, else those with a usual name."""

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
"""For what a column says, the names it usually has, those that say it best first."""


@dataclass(frozen=True)
class Columns:
    """The column of the paths, the labels, and where there are any of the splits and the groups."""

    path: str
    label: str
    split: str | None
    group: str | None


def choose_columns(columns: Sequence[str], read_options: ReadOptions, table: str) -> Columns:
    """Choose; what was guessed is said. Raises DatasetError that names the columns there are."""
    asked = {use: getattr(read_options, f"{use}_column") for use in USUAL_NAMES}
    _require_known([name for name in asked.values() if name is not None], columns, table)
    free = [name for name in columns if name not in asked.values()]
    taken = {use: name or _usual(use, free) for use, name in asked.items()}
    for use in ("path", "label"):
        if taken[use] is None:
            raise DatasetError(
                f"no column of {table} is called {use} or the like: its first line says {_cut(columns)}. Name the "
                f"column with --{use}-column"
            )
    if guessed := [use for use, name in taken.items() if name and not asked[use]]:
        said = ", ".join(f"{use} from {taken[use]!r}" for use in guessed)
        notify(f"{table}: columns taken by their names: {said}")
    return Columns(str(taken["path"]), str(taken["label"]), taken["split"], taken["group"])


def _require_known(names: list[str], columns: Sequence[str], table: str) -> None:
    for name in names:
        if name not in columns:
            raise DatasetError(f"{table} has no column {name!r}: {did_you_mean(name, columns)}")
        if columns.count(name) > 1 or names.count(name) > 1:
            raise DatasetError(
                f"column {name!r} of {table} is there or asked for twice: give each use a column of its own"
            )


def _usual(use: str, columns: Sequence[str]) -> str | None:
    """The first of the usual names that a column has, whatever its case; of two equal columns neither."""
    plain = {name.lower().replace(" ", "_").replace("-", "_"): name for name in columns if columns.count(name) == 1}
    return next((plain[name] for name in USUAL_NAMES[use] if name in plain), None)


def _cut(columns: Sequence[str], most: int = 12) -> str:
    more = f" and {len(columns) - most} more" if len(columns) > most else ""
    return ", ".join(map(repr, columns[:most])) + more
