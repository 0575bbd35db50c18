"""Where in a data set each distinct image stands."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tellapart.checking.finding import Row
from tellapart.checking.image_facts import Facts
from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import NAMES

ORDER = ("all", *NAMES)
"""Of copies in two splits the one in the earlier is to go, so that the images which judge stay what they were."""


class Place(NamedTuple):
    """One image: its split, its number there from 0, and the index of its class."""

    split: str
    number: int
    label: int


Places = Mapping[str, Sequence[Place]]
"""For each distinct content, by its hash, where it stands: train before validation before test, then by number."""

Seen = Sequence[tuple[Place, Facts]]
"""The images that could be decoded, and what they are like."""


def places(dataset: Dataset) -> Places:
    """Find where each distinct image of a data set stands."""
    found: dict[str, list[Place]] = {}
    for name in sorted(dataset.splits, key=rank):
        split = dataset.splits[name]
        rows = zip(split.images.digests, split.labels.tolist(), strict=True)
        for number, (digest, label) in enumerate(rows):
            found.setdefault(digest, []).append(Place(name, number, label))
    return found


def rank(split: str) -> int:
    """Train before validation before test."""
    return ORDER.index(split) if split in ORDER else len(ORDER)


def name_of(dataset: Dataset, place: Place) -> str:
    """What a person would call the image: its path."""
    return dataset.splits[place.split].images.name(place.number)


def row_at(dataset: Dataset, place: Place, *, suggested: str = "", other: Place | None = None, detail: str = "") -> Row:
    """What a finding says of one image; `other` is the image that it resembles."""
    return Row(
        path=name_of(dataset, place),
        digest=dataset.splits[place.split].images.digests[place.number],
        split=place.split,
        label=dataset.classes[place.label],
        suggested=suggested,
        other=name_of(dataset, other) if other else "",
        detail=detail,
    )


def rows_where(dataset: Dataset, seen: Seen, told: Callable[[Place, Facts], str]) -> tuple[Row, ...]:
    """A row for each image of which `told` has something to say: its detail."""
    said = ((place, told(place, facts)) for place, facts in seen)
    return tuple(row_at(dataset, place, detail=detail) for place, detail in said if detail)
