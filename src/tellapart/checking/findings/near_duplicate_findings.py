"""Report near-duplicates: those across splits, and those within one."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tellapart.checking.finding import Finding, Row
from tellapart.checking.findings.exact_duplicates import describe_between, describe_shares, duplicate_severity
from tellapart.checking.locations import Location, Locations, row_at, split_rank
from tellapart.checking.near_duplicates import Pair
from tellapart.data.dataset import Dataset
from tellapart.text import counted

MISLEADING_SHARE = 0.01  # of a judging split: near-duplicates beyond it may change the accuracy by a whole point


@dataclass
class _Matches:
    """The image that each image resembles, and how: at most one per image."""

    by_location: dict[Location, tuple[Location, str]] = field(default_factory=dict)

    def add(self, location: Location, other: Location, relation: str) -> None:
        """Keep one match per image: the one in the latest split."""
        current = self.by_location.get(location)
        if current is None or split_rank(other.split) > split_rank(current[0].split):
            self.by_location[location] = (other, relation)

    def rows(self, dataset: Dataset) -> tuple[Row, ...]:
        """Make a row for each, those with different labels first: one of the two is likely wrong."""
        pairs = sorted(self.by_location.items(), key=lambda item: item[0].label == item[1][0].label)
        return tuple(_row(dataset, location, other, relation) for location, (other, relation) in pairs)

    def contradicting(self) -> int:
        """Count the images whose match has another label."""
        return sum(location.label != other.label for location, (other, _) in self.by_location.items())


def near_duplicate_findings(dataset: Dataset, locations: Locations, pairs: Iterable[Pair]) -> list[Finding]:
    """Make findings of pairs of distinct contents: those across splits, and those within one."""
    across, within = _Matches(), _Matches()
    for pair in pairs:
        earlier, later = sorted(
            (locations[pair.first], locations[pair.second]), key=lambda copies: _position(copies[0])
        )
        for first in _first_in_each_split(earlier):
            for location in later:
                _add(across, within, first, location, pair.relation)
        for first in _first_in_each_split(later):
            for location in earlier:
                if location.split != first.split:
                    _add(across, within, first, location, pair.relation)
    return [finding for finding in (_near_leak(dataset, across), _near_copies(dataset, within)) if finding]


def _add(across: _Matches, within: _Matches, first: Location, location: Location, relation: str) -> None:
    if location.split == first.split:
        within.add(location, first, relation)
    elif split_rank(location.split) < split_rank(first.split):
        across.add(location, first, relation)


def _position(location: Location) -> tuple[int, int]:
    return split_rank(location.split), location.number


def _first_in_each_split(copies: Iterable[Location]) -> list[Location]:
    first: dict[str, Location] = {}
    for location in copies:
        first.setdefault(location.split, location)
    return list(first.values())


def _row(dataset: Dataset, location: Location, other: Location, relation: str) -> Row:
    suggested = "" if location.label == other.label else dataset.classes[other.label]
    return row_at(dataset, location, suggested=suggested, other=other, detail=relation)


def _near_leak(dataset: Dataset, matches: _Matches) -> Finding | None:
    rows = matches.rows(dataset)
    if not rows:
        return None
    between = Counter((location.split, other.split) for location, (other, _) in matches.by_location.items())
    leaked = Counter(other.split for other in {other for other, _ in matches.by_location.values()})
    misleading = any(count > MISLEADING_SHARE * len(dataset.splits[name]) for name, count in leaked.items())
    return Finding(
        "near-leak",
        "problem" if misleading else "warning",
        len(rows),
        f"{counted(len(rows), 'image is', 'images are')} nearly the same as one in another split: "
        f"{describe_between(between, 'like one of')}{_contradictions(matches.contradicting())}.",
        "Look at the pairs; where both show the same thing, leave out the one in the first of the two splits: mark "
        "it in findings.csv and pass the file to --skip.",
        rows,
    )


def _near_copies(dataset: Dataset, matches: _Matches) -> Finding | None:
    rows = matches.rows(dataset)
    if not rows:
        return None
    counts = Counter(location.split for location in matches.by_location)
    contradicting = matches.contradicting()
    no_action = "no action is needed, since near-duplicates stay together when splits are drawn"
    return Finding(
        "near-copies",
        "warning" if contradicting else duplicate_severity(dataset, counts),
        len(rows),
        f"{counted(len(rows), 'image is', 'images are')} nearly the same as another one in the same split: "
        f"{describe_shares(dataset, counts)}{_contradictions(contradicting)}.",
        f"Look at those under another label, where one of the two is likely wrong; otherwise {no_action}."
        if contradicting
        else f"{no_action[0].upper()}{no_action[1:]}.",
        rows,
    )


def _contradictions(count: int) -> str:
    return f"; {count:,} of them under another label" if count else ""
