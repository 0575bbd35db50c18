"""How a person wants labelled images read: which columns of a table, which labels and images to leave out."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReadOptions:
    """What the source alone does not say. A column that is not named is guessed by its usual names."""

    path_column: str | None = None
    """The column of a CSV or Parquet table that has the images' paths."""
    label_column: str | None = None
    """The one that has the labels."""
    split_column: str | None = None
    """The one that says train, validation or test."""
    group_column: str | None = None
    """The one that says what belongs together, such as who sent the images: a group is never divided by a split."""
    exclude_label: tuple[str, ...] = ()
    """Labels whose images are left out: once for each, or several with commas between."""
    skip: Path | None = None
    """A findings.csv in which a person has marked images: they are left out."""
