"""Groups, such as a person or a place, of which images stand in two of the owner's splits."""

from collections import Counter
from collections.abc import Mapping

from tellapart.checking.finding import Finding, Row
from tellapart.checking.findings.exact_duplicates import across
from tellapart.checking.locations import Place, rank, row_at
from tellapart.checking.words import counted
from tellapart.data.dataset import Dataset


def group_leaks(dataset: Dataset) -> list[Finding]:
    """Find groups that a user's own splits part. Splits that are drawn here never do."""
    parted = {group: homes for group, homes in _homes(dataset).items() if len(homes) > 1}
    if not parted:
        return []
    between: Counter[tuple[str, str]] = Counter()
    rows: list[tuple[int, Row]] = []
    for group, homes in parted.items():
        judged = max(homes, key=rank)
        for split in sorted(homes.keys() - {judged}, key=rank):
            between[split, judged] += len(homes[split])
            detail = f"group {group}: {counted(len(homes[judged]), 'image')} in {judged}"
            rows += [(rank(judged), row_at(dataset, place, detail=detail)) for place in homes[split]]
    rows.sort(key=lambda row: -row[0])  # those that the final score stands on first
    finding = Finding(
        "group-leak",
        "problem",
        len(rows),
        f"{counted(len(parted), 'group stands', 'groups stand')} in two splits: "
        f"{across(between, 'share their group with')}.",
        "Give each group one split, or give no splits and let them be drawn, which keeps groups together: a score on "
        "those whose like was learned is too good.",
        tuple(row for _, row in rows),
    )
    return [finding]


def _homes(dataset: Dataset) -> Mapping[str, Mapping[str, list[Place]]]:
    """For each group the splits it stands in, and its images there."""
    found: dict[str, dict[str, list[Place]]] = {}
    for name, split in dataset.splits.items():
        for number, group in enumerate(split.groups or ()):
            if group:
                place = Place(name, number, int(split.labels[number]))
                found.setdefault(group, {}).setdefault(name, []).append(place)
    return found
