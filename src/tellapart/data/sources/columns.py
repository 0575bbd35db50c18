"""Choose the columns of a table: those named in the options, else those with a usual name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tellapart.data.dataset import ReadOptions
from tellapart.data.sources.folder import SPLIT_FOLDERS
from tellapart.data.sources.labels import NO, YES, one_hot_columns
from tellapart.data.sources.table import Table
from tellapart.errors import DatasetError, did_you_mean
from tellapart.progress import notify
from tellapart.text import joined

USUAL_NAMES = {
    "path": (
        "path", "filepath", "file_path", "image_path", "img_path", "file", "filename", "file_name", "fname",
        "image_file", "image", "image_name", "img", "img_name", "picture", "photo", "image_id", "img_id", "id",
    ),
    "label": (
        "label", "labels", "class", "class_name", "classname", "label_name", "category", "category_name", "target",
    ),
    "split": ("split", "subset", "partition", "is_valid", "is_val", "is_validation", "is_test"),
    "group": ("group", "group_id"),
}  # fmt: skip
"""The usual names of each column, the best first."""
YES_NO_SPLITS = {
    "is_valid": ("validation", "train"), "is_val": ("validation", "train"), "is_validation": ("validation", "train"),
    "is_test": ("test", "train"), "is_train": ("train", "test"),
}  # fmt: skip
"""The split of an image with yes, and of one with no, by the names of columns that say this."""


@dataclass(frozen=True)
class Columns:
    """The columns of paths and labels, and those of splits and groups, if any."""

    path: str
    labels: tuple[str, ...]
    """The one with the labels; several where each class has a column of 0 and 1; none with --label-from."""
    splits: tuple[str, ...]
    """The one that says the split; several where one says is_valid, another is_test."""
    group: str | None

    @property
    def all(self) -> tuple[str, ...]:
        """All of them, in this order."""
        return (self.path, *self.labels, *self.splits, *([self.group] if self.group is not None else []))


def choose_columns(table: Table, read_options: ReadOptions) -> Columns:
    """Choose the columns and print the guessed ones. Raises DatasetError that lists the columns of the table."""
    columns, where = table.columns, str(table.path)
    named = {use: getattr(read_options, f"{use}_column") for use in USUAL_NAMES}
    classes, splits = (_listed_columns(named[use], columns) for use in ("label", "split"))
    lists = {"label": classes, "split": splits}
    known = [name for use, name in named.items() if name is not None and not lists.get(use)]
    _require_known([*known, *classes, *splits], columns, where)
    free = [name for name in columns if name not in (*known, *classes, *splits)]
    if named["path"] is None and len(table.embedded) == 1:
        named["path"] = table.embedded[0]
    chosen = {use: name or _usual_column(use, free) for use, name in named.items()}
    if read_options.label_from:
        chosen["label"] = None
    elif chosen["label"] is None and chosen["path"]:
        classes = one_hot_columns(table, _without_use([name for name in free if name not in table.embedded], chosen))
    _require_found(chosen, columns, where, has_labels=bool(classes or read_options.label_from))
    if chosen["split"] and not splits:
        splits = (chosen["split"],) if named["split"] else _with_other_answers(chosen["split"], free)
    guesses = [f"{use} from {name!r}" for use, name in chosen.items() if name and not named[use] and use != "split"]
    if splits and named["split"] is None:
        guesses.append(f"split from {joined(list(map(repr, splits)))}")
    if classes and named["label"] is None:
        guesses.append(f"label from {joined(list(map(repr, classes)))}, each with 0 and 1")
    if guesses:
        notify(f"{where}: columns taken by their names: {', '.join(guesses)}")
    labels = classes or ((chosen["label"],) if chosen["label"] else ())
    return Columns(str(chosen["path"]), labels, splits, chosen["group"])


def _without_use(columns: Sequence[str], chosen: Mapping[str, str | None]) -> list[str]:
    return [name for name in columns if name not in chosen.values() and columns.count(name) == 1]


def _listed_columns(named: str | None, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that an option lists with commas between; none where it names one column."""
    if named is None or named in columns or "," not in named:
        return ()
    return tuple(name.strip() for name in named.split(","))


def _with_other_answers(column: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the column of the splits; is_valid and is_test both, where there are both."""
    usual = [name for name in columns if plain_name(name) in USUAL_NAMES["split"] and columns.count(name) == 1]
    by_split = {YES_NO_SPLITS[plain_name(name)]: name for name in usual[::-1] if plain_name(name) in YES_NO_SPLITS}
    return tuple(by_split.values())[::-1] if column in by_split.values() else (column,)


def _require_found(chosen: Mapping[str, str | None], columns: Sequence[str], table: str, *, has_labels: bool) -> None:
    for use in ("path", "label"):
        if chosen[use] is None and not (use == "label" and has_labels):
            other = "; or find the label in the path with --label-from" if use == "label" else ""
            raise DatasetError(
                f"no column of {table} is called {use} or the like: its first line says {_shorten(columns)}. Name the "
                f"column with --{use}-column{other}"
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
    by_plain_name = {plain_name(name): name for name in columns if columns.count(name) == 1}
    return next((by_plain_name[name] for name in USUAL_NAMES[use] if name in by_plain_name), None)


def plain_name(name: str) -> str:
    """Return the name of a column in lower case, with underscores."""
    return name.lower().replace(" ", "_").replace("-", "_")


def split_of(cell: str, column: str) -> str | None:
    """Return the split that a cell means: train, validation or test; None where it means none."""
    if splits := YES_NO_SPLITS.get(plain_name(column)):
        word = cell.lower()
        return splits[0] if word in YES else splits[1] if word in NO else None
    return SPLIT_FOLDERS.get(cell.lower())


def split_word(cells: Sequence[str], columns: Sequence[str], row: str) -> str:
    """Return the cell that says a row's split; of several columns, such as is_valid and is_test, what they mean.

    `row` names the row. Raises DatasetError where several columns say different splits.
    """
    if len(columns) < 2:
        return cells[0].strip() if cells else ""
    answers = [(cell.strip(), split_of(cell.strip(), name), name) for cell, name in zip(cells, columns, strict=True)]
    for cell, split, name in answers:
        if split is None:
            raise not_a_split(cell, name, row)
    names_by_split = {split: name for cell, split, name in answers if cell.lower() not in NO}
    if len(names_by_split) > 1:
        raise DatasetError(
            f"{row} says yes in {joined(list(map(repr, names_by_split.values())))}: an image is in one split"
        )
    return next(iter(names_by_split), None) or str(answers[0][1])


def not_a_split(cell: str, column: str, row: str) -> DatasetError:
    """Make the error for a cell that means no split; `row` names its row."""
    expected = "yes or no as 1 and 0" if plain_name(column) in YES_NO_SPLITS else f"one of {', '.join(SPLIT_FOLDERS)}"
    return DatasetError(
        f"{row} has {cell!r} in the column {column!r}; expected {expected}. Name another column with --split-column"
    )


def _shorten(columns: Sequence[str], limit: int = 12) -> str:
    more = f" and {len(columns) - limit} more" if len(columns) > limit else ""
    return ", ".join(map(repr, columns[:limit])) + more
