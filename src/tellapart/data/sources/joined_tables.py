"""Several tables that are read as one, such as the shards of a data set, or a table for each split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from tellapart.data.sources.table import Cells, Table

SPLIT = "split"
MOST_ROWS = 10**9  # of a part: a row's number is that in its part, plus as much for each part before


@dataclass(frozen=True)
class Part:
    """A table of several, with what is known of its rows from its place."""

    table: Table
    split: str = ""
    """The split of all its rows; "" where the table, or nothing, says it."""
    prefix: str = ""
    """The way from the folder of the joined table to that in which this part's paths begin, such as `train/`."""


@dataclass
class JoinedTables:
    """Tables in one folder with the same columns, mostly; one that a part lacks is empty in its rows."""

    path: Path
    """The folder that all of them are in."""
    parts: tuple[Part, ...]
    path_column: str
    """The column of the paths that the prefixes are put before."""
    encoding: str | None = None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All columns of all parts; the split is one more where their places say it."""
        names = dict.fromkeys(chain.from_iterable(part.table.columns for part in self.parts))
        return tuple(names | {SPLIT: None}) if self._are_splits else tuple(names)

    @cached_property
    def embedded(self) -> tuple[str, ...]:
        """The columns that have images in them in any part."""
        return tuple(dict.fromkeys(chain.from_iterable(part.table.embedded for part in self.parts)))

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, Cells]]:
        """Yield the rows of one part after the other."""
        for index, part in enumerate(self.parts):
            known = [name for name in wanted if name in part.table.columns and not self._is_place(name)]
            for number, cells in part.table.rows(known):
                row = dict(zip(known, cells, strict=True))
                if self._is_place(SPLIT):
                    row[SPLIT] = part.split
                if part.prefix and row.get(self.path_column):
                    row[self.path_column] = part.prefix + row[self.path_column]
                yield index * MOST_ROWS + number, [row.get(name, "") for name in wanted]

    def place(self, number: int) -> str:
        """Name a row as its part does."""
        index, own = divmod(number, MOST_ROWS)
        return self.parts[index].table.place(own)

    def _is_place(self, column: str) -> bool:
        return column == SPLIT and self._are_splits

    @cached_property
    def _are_splits(self) -> bool:
        return any(part.split for part in self.parts)
