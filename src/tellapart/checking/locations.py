"""The locations of each distinct image in a data set, and the rows that findings make of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tellapart.checking.finding import Row
from tellapart.checking.image_facts import ImageFacts
from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import SPLIT_NAMES

SPLIT_ORDER = ("all", *SPLIT_NAMES)
"""Of duplicates in two splits, remove the one in the earlier split, so that the test split stays unchanged."""


class Location(NamedTuple):
    """The position of one image: its split, its number there from 0, and the index of its class."""

    split: str
    number: int
    label: int


Locations = Mapping[str, Sequence[Location]]
"""The locations of each distinct content, by its hash: train before validation before test, then by number."""

Examined = Sequence[tuple[Location, ImageFacts]]
"""The images that could be decoded, each with its facts."""


def find_locations(dataset: Dataset) -> Locations:
    """Find the locations of each distinct image of a data set."""
    locations: dict[str, list[Location]] = {}
    for name in sorted(dataset.splits, key=split_rank):
        split = dataset.splits[name]
        rows = zip(split.images.digests, split.labels.tolist(), strict=True)
        for number, (digest, label) in enumerate(rows):
            locations.setdefault(digest, []).append(Location(name, number, label))
    return locations


def split_rank(split: str) -> int:
    """Rank train before validation before test."""
    return SPLIT_ORDER.index(split) if split in SPLIT_ORDER else len(SPLIT_ORDER)


def path_at(dataset: Dataset, location: Location) -> str:
    """Return the path of an image, or the name of one that comes in an array."""
    return dataset.splits[location.split].images.name(location.number)


def row_at(
    dataset: Dataset, location: Location, *, suggested: str = "", other: Location | None = None, detail: str = ""
) -> Row:
    """Make the row of a finding for one image; `other` is the location of the image that it resembles."""
    return Row(
        path=path_at(dataset, location),
        digest=dataset.splits[location.split].images.digests[location.number],
        split=location.split,
        label=dataset.classes[location.label],
        suggested=suggested,
        other=path_at(dataset, other) if other else "",
        detail=detail,
    )


def rows_with_detail(
    dataset: Dataset, examined: Examined, describe: Callable[[Location, ImageFacts], str]
) -> tuple[Row, ...]:
    """Make a row for each image for which `describe` returns a detail that is not empty."""
    described = ((location, describe(location, facts)) for location, facts in examined)
    return tuple(row_at(dataset, location, detail=detail) for location, detail in described if detail)
