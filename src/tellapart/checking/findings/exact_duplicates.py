"""Find exact duplicates: the same content in two splits, under two labels, or twice in one class and split."""

from collections import Counter
from collections.abc import Sequence

from tellapart.checking.finding import Finding, Row, Severity
from tellapart.checking.locations import Location, Locations, row_at, split_rank
from tellapart.data.dataset import Dataset
from tellapart.text import counted, joined

MAX_SHARE = 0.05  # of a split: more duplicates change the weights of the classes


def exact_duplicate_findings(dataset: Dataset, locations: Locations) -> list[Finding]:
    """Find exact duplicates: leaks between splits, images under two labels, and those of one class in one split."""
    repeated = [copies for copies in locations.values() if len(copies) > 1]
    findings = (_leak(dataset, repeated), _two_labels(dataset, repeated), _copies(dataset, repeated))
    return [finding for finding in findings if finding]


def _leak(dataset: Dataset, repeated: Sequence[Sequence[Location]]) -> Finding | None:
    rows: list[tuple[int, Row]] = []
    between: Counter[tuple[str, str]] = Counter()
    for copies in repeated:
        last = next(location for location in copies if location.split == copies[-1].split)
        for location in copies:
            if location.split != last.split:
                rows.append((split_rank(last.split), _leak_row(dataset, location, last)))
                between[location.split, last.split] += 1
    if not rows:
        return None
    rows.sort(key=lambda row: -row[0])  # leaks into the test split first
    return Finding(
        "leak",
        "problem",
        len(rows),
        f"{counted(len(rows), 'image is', 'images are')} in two splits: {describe_between(between, 'also in')}.",
        "Leave out the copy in the first of the two splits (mark it in findings.csv and pass the file to --skip): a "
        "score on images seen in training is too high.",
        tuple(row for _, row in rows),
    )


def _leak_row(dataset: Dataset, location: Location, last: Location) -> Row:
    return row_at(dataset, location, other=last, detail=f"{location.split} and {last.split}")


def describe_between(between: Counter[tuple[str, str]], relation: str) -> str:
    """Format the counts of pairs of splits: `12 of train also in test, 3 of train also in validation`."""
    pairs = sorted(between.items(), key=lambda item: (-split_rank(item[0][1]), split_rank(item[0][0])))
    return ", ".join(f"{count:,} of {first} {relation} {second}" for (first, second), count in pairs)


def _two_labels(dataset: Dataset, repeated: Sequence[Sequence[Location]]) -> Finding | None:
    rows: list[Row] = []
    counts: Counter[str] = Counter()
    for copies in repeated:
        labels = Counter(location.label for location in copies)
        if len(labels) > 1:
            rows += [_two_labels_row(dataset, location, copies, labels) for location in copies]
            counts[joined([dataset.classes[label] for label in sorted(labels)])] += len(copies)
    if not rows:
        return None
    label_sets = [f"{labels} ({count:,})" for labels, count in counts.most_common()]
    more = f", and {len(label_sets) - 5:,} more such sets of labels" if len(label_sets) > 5 else ""
    return Finding(
        "two-labels",
        "warning",
        len(rows),
        f"{len(rows):,} images have an exact copy under another label: {', '.join(label_sets[:5])}{more}.",
        "Decide which label is correct and leave out the other copies: mark them in findings.csv and pass the file to "
        "--skip.",
        tuple(rows),
    )


def _two_labels_row(dataset: Dataset, location: Location, copies: Sequence[Location], labels: Counter[int]) -> Row:
    others = [label for label, _ in labels.most_common() if label != location.label]
    return row_at(
        dataset,
        location,
        suggested=dataset.classes[others[0]],
        other=next(copy for copy in copies if copy.label == others[0]),
        detail=f"also labelled {joined([dataset.classes[label] for label in others])}",
    )


def _copies(dataset: Dataset, repeated: Sequence[Sequence[Location]]) -> Finding | None:
    """Find copies of one class in one split: all but the first of each."""
    rows: list[Row] = []
    counts: Counter[str] = Counter()
    for copies in repeated:
        first: dict[tuple[str, int], Location] = {}
        for location in copies:
            original = first.setdefault((location.split, location.label), location)
            if original is not location:
                rows.append(row_at(dataset, location, other=original, detail=f"twice in {location.split}"))
                counts[location.split] += 1
    if not rows:
        return None
    return Finding(
        "copies",
        duplicate_severity(dataset, counts),
        len(rows),
        f"{counted(len(rows), 'image is an exact copy', 'images are exact copies')} of one of the same class in "
        f"the same split: {describe_shares(dataset, counts)}.",
        "No action is needed: copies stay together when splits are drawn; to use each once, mark them in findings.csv "
        "and pass the file to --skip.",
        tuple(rows),
    )


def duplicate_severity(dataset: Dataset, counts: Counter[str]) -> Severity:
    """Return a warning where many images of a split are duplicates, else a note."""
    many = any(count > MAX_SHARE * len(dataset.splits[name]) for name, count in counts.items())
    return "warning" if many else "note"


def describe_shares(dataset: Dataset, counts: Counter[str]) -> str:
    """Format counts with the sizes of their splits: `12 of 3,068 in train, 1 of 341 in validation`."""
    return ", ".join(f"{count:,} of {len(dataset.splits[name]):,} in {name}" for name, count in counts.items())
