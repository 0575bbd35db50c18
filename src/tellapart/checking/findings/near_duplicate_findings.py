"""Images that are nearly the same: across splits, or beside each other in one."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tellapart.checking.finding import Finding, Row
from tellapart.checking.findings.exact_duplicates import across, severity_of, shares
from tellapart.checking.locations import Place, Places, rank, row_at
from tellapart.checking.near_duplicates import Pair
from tellapart.checking.words import counted
from tellapart.data.dataset import Dataset

LIE = 0.01  # of a split that judges: from there on near-copies may move its accuracy by a whole point


@dataclass
class _Resembling:
    """For each image that might be left out the one that it resembles, and how."""

    found: dict[Place, tuple[Place, str]] = field(default_factory=dict)

    def add(self, place: Place, other: Place, how: str) -> None:
        """Keep one for each image: of several that which stands in the split that judges last."""
        held = self.found.get(place)
        if held is None or rank(other.split) > rank(held[0].split):
            self.found[place] = (other, how)

    def rows(self, dataset: Dataset) -> tuple[Row, ...]:
        """A row for each, those with different labels first: one of the two is likely to be wrong."""
        pairs = sorted(self.found.items(), key=lambda item: item[0].label == item[1][0].label)
        return tuple(_row(dataset, place, other, how) for place, (other, how) in pairs)

    def contradicting(self) -> int:
        """How many have another label than what they resemble."""
        return sum(place.label != other.label for place, (other, _) in self.found.items())


def near_duplicate_findings(dataset: Dataset, where: Places, pairs: Iterable[Pair]) -> list[Finding]:
    """Find near-copies from pairs of distinct contents: those across splits, and those within one."""
    leaked, beside = _Resembling(), _Resembling()
    for pair in pairs:
        one, other = sorted((where[pair.one], where[pair.other]), key=lambda found: _order(found[0]))
        for first in _first_of_each_split(one):
            for place in other:
                _add(leaked, beside, first, place, pair.how)
        for first in _first_of_each_split(other):
            for place in one:
                if place.split != first.split:
                    _add(leaked, beside, first, place, pair.how)
    return [finding for finding in (_leak(dataset, leaked), _beside(dataset, beside)) if finding]


def _add(leaked: _Resembling, beside: _Resembling, first: Place, place: Place, how: str) -> None:
    if place.split == first.split:
        beside.add(place, first, how)
    elif rank(place.split) < rank(first.split):
        leaked.add(place, first, how)


def _order(place: Place) -> tuple[int, int]:
    return rank(place.split), place.number


def _first_of_each_split(found: Iterable[Place]) -> list[Place]:
    first: dict[str, Place] = {}
    for place in found:
        first.setdefault(place.split, place)
    return list(first.values())


def _row(dataset: Dataset, place: Place, other: Place, how: str) -> Row:
    suggested = "" if place.label == other.label else dataset.classes[other.label]
    return row_at(dataset, place, suggested=suggested, other=other, detail=how)


def _leak(dataset: Dataset, leaked: _Resembling) -> Finding | None:
    rows = leaked.rows(dataset)
    if not rows:
        return None
    between = Counter((place.split, other.split) for place, (other, _) in leaked.found.items())
    judged = Counter(other.split for other in {other for other, _ in leaked.found.values()})
    lie = any(count > LIE * len(dataset.splits[name]) for name, count in judged.items())
    return Finding(
        "near-leak",
        "problem" if lie else "warning",
        len(rows),
        f"{counted(len(rows), 'image is', 'images are')} nearly the same as one in another split: "
        f"{across(between, 'like one of')}{_contradicted(leaked.contradicting())}.",
        "Look at the pairs and leave out the one in the first of the two splits where they show the same thing: mark "
        "it in findings.csv, and pass it to --skip.",
        rows,
    )


def _beside(dataset: Dataset, beside: _Resembling) -> Finding | None:
    rows = beside.rows(dataset)
    if not rows:
        return None
    within = Counter(place.split for place in beside.found)
    contradicting = beside.contradicting()
    nothing = "nothing has to be done, since near-copies stay together when splits are drawn"
    return Finding(
        "near-copies",
        "warning" if contradicting else severity_of(dataset, within),
        len(rows),
        f"{counted(len(rows), 'image is', 'images are')} nearly the same as another one in the same split: "
        f"{shares(dataset, within)}{_contradicted(contradicting)}.",
        f"Look at those under another label, where one of the two is likely to be wrong; otherwise {nothing}."
        if contradicting
        else f"{nothing[0].upper()}{nothing[1:]}.",
        rows,
    )


def _contradicted(count: int) -> str:
    return f"; {count:,} of them under another label" if count else ""
