"""Find groups, such as people or places, whose images are in two of the user's own splits."""

from collections import Counter
from collections.abc import Mapping

from tellapart.checking.finding import Finding, Row
from tellapart.checking.findings.exact_duplicates import describe_between
from tellapart.checking.locations import Location, row_at, split_rank
from tellapart.data.dataset import Dataset
from tellapart.text import counted


def group_leak_findings(dataset: Dataset) -> list[Finding]:
    """Find groups divided between splits. Splits drawn by tellapart never divide one."""
    divided = {group: by_split for group, by_split in _locations_by_group(dataset).items() if len(by_split) > 1}
    if not divided:
        return []
    between: Counter[tuple[str, str]] = Counter()
    rows: list[tuple[int, Row]] = []
    for group, by_split in divided.items():
        last = max(by_split, key=split_rank)
        for split in sorted(by_split.keys() - {last}, key=split_rank):
            between[split, last] += len(by_split[split])
            detail = f"group {group}: {counted(len(by_split[last]), 'image')} in {last}"
            rows += [(split_rank(last), row_at(dataset, location, detail=detail)) for location in by_split[split]]
    rows.sort(key=lambda row: -row[0])  # leaks into the test split first
    finding = Finding(
        "group-leak",
        "problem",
        len(rows),
        f"{counted(len(divided), 'group is', 'groups are')} in two splits: "
        f"{describe_between(between, 'share their group with')}.",
        "Put each group into one split, or pass no splits and let them be drawn, which keeps groups together: a score "
        "on images of groups seen in training is too high.",
        tuple(row for _, row in rows),
    )
    return [finding]


def _locations_by_group(dataset: Dataset) -> Mapping[str, Mapping[str, list[Location]]]:
    """Return the locations of each group's images by split."""
    locations: dict[str, dict[str, list[Location]]] = {}
    for name, split in dataset.splits.items():
        for number, group in enumerate(split.groups or ()):
            if group:
                location = Location(name, number, int(split.labels[number]))
                locations.setdefault(group, {}).setdefault(name, []).append(location)
    return locations
