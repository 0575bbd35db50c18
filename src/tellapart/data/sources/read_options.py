"""How a person wants labelled pictures read: which columns of a table, which labels and pictures to leave out."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reading:
    """What the source alone does not say. A column that is not named is guessed by its usual names."""

    path_column: str | None = None
    """The column of a CSV or Parquet table that has the pictures' paths."""
    label_column: str | None = None
    """The one that has the labels."""
    split_column: str | None = None
    """The one that says train, validation or test."""
    group_column: str | None = None
    """The one that says what belongs together, such as who sent the pictures: a group is never divided by a split."""
    exclude_label: tuple[str, ...] = ()
    """Labels whose pictures are left out: once for each, or several with commas between."""
    skip: Path | None = None
    """A findings.csv in which a person has marked pictures: they are left out."""
