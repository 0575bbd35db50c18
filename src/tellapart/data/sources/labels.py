"""Labels that are not in a column of their own: one column of 0 and 1 per class, or a part of the path."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tellapart.data.sources.table import Cells, Table
from tellapart.errors import DatasetError

YES = frozenset(("1", "1.0", "true"))
NO = frozenset(("0", "0.0", "false", ""))


def one_hot_columns(table: Table, candidates: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that have only 0 and 1, where there are several and no row has more than one 1; else none."""
    left = list(candidates)
    for _, cells in table.rows(candidates) if len(left) > 1 else ():
        row = dict(zip(candidates, map(_plain, cells), strict=True))
        left = [name for name in left if row[name] in YES or row[name] in NO]
        if len(left) < 2:
            break
    if len(left) < 2:
        return ()
    ones = [sum(_plain(cell) in YES for cell in cells) for _, cells in table.rows(left)]
    return tuple(left) if max(ones, default=0) == 1 else ()


def one_hot_label(columns: Sequence[str], cells: Cells, row: str) -> str:
    """Return the column that has the 1, or "" where none has; `row` names the row. Raises DatasetError."""
    plain = list(map(_plain, cells))
    for name, cell in zip(columns, plain, strict=True):
        if cell not in YES and cell not in NO:
            raise DatasetError(f"{row} has {cell!r} in the column {name!r}; expected 0 or 1")
    classes = [name for name, cell in zip(columns, plain, strict=True) if cell in YES]
    if len(classes) > 1:
        raise DatasetError(
            f"{row} has a 1 for {classes[0]!r} and for {classes[1]!r}; expected one class per image: several labels "
            f"for one image are not supported"
        )
    return classes[0] if classes else ""


def _plain(cell: str) -> str:
    return cell.strip().lower()


@dataclass(frozen=True)
class LabelPattern:
    """A regular expression that finds the label in a path: its group `label`, else its first group, else all of it."""

    expression: re.Pattern[str]

    @staticmethod
    def of(text: str) -> "LabelPattern":
        """Compile an expression. Raises DatasetError."""
        try:
            return LabelPattern(re.compile(text))
        except re.error as error:
            raise DatasetError(
                f"--label-from {text!r} is no regular expression ({error}): write one such as '(cat|dog)', or "
                f"'([^/]+)/[^/]+$' for the name of the folder"
            ) from error

    def label(self, path: str) -> str:
        """Return the label in a path, with slashes as on Linux; "" where the expression is not found."""
        match = self.expression.search(path.replace("\\", "/"))
        if match is None:
            return ""
        group: str | int = "label" if "label" in self.expression.groupindex else min(self.expression.groups, 1)
        return match[group] or ""
