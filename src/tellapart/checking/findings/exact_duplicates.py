"""The same file more than once: across splits, under two labels, or beside itself."""

from collections import Counter
from collections.abc import Sequence

from tellapart.checking.finding import Finding, Row, Severity
from tellapart.checking.locations import Place, Places, rank, row_at
from tellapart.checking.words import counted, listed
from tellapart.data.dataset import Dataset

MANY = 0.05  # of a split: more than one image in twenty that counts twice changes what the classes weigh


def exact_duplicates(dataset: Dataset, where: Places) -> list[Finding]:
    """Find exact copies: leaks between splits, images under two labels, and those of one class in one split."""
    repeated = [found for found in where.values() if len(found) > 1]
    found = (_leak(dataset, repeated), _two_labels(dataset, repeated), _beside(dataset, repeated))
    return [finding for finding in found if finding]


def _leak(dataset: Dataset, repeated: Sequence[Sequence[Place]]) -> Finding | None:
    rows: list[tuple[int, Row]] = []
    between: Counter[tuple[str, str]] = Counter()
    for found in repeated:
        judged = next(place for place in found if place.split == found[-1].split)
        for place in found:
            if place.split != judged.split:
                rows.append((rank(judged.split), _leaked(dataset, place, judged)))
                between[place.split, judged.split] += 1
    if not rows:
        return None
    rows.sort(key=lambda row: -row[0])  # those that the final score stands on first
    return Finding(
        "leak",
        "problem",
        len(rows),
        f"{counted(len(rows), 'image is', 'images are')} in two splits: {across(between, 'also in')}.",
        "Leave out the copy in the first of the two splits (mark it in findings.csv, and pass it to --skip): a score "
        "on images that were learned is too good.",
        tuple(row for _, row in rows),
    )


def _leaked(dataset: Dataset, place: Place, judged: Place) -> Row:
    return row_at(dataset, place, other=judged, detail=f"{place.split} and {judged.split}")


def across(between: Counter[tuple[str, str]], how: str) -> str:
    """How many stand in which two splits: `12 of train also in test, 3 of train also in validation`."""
    told = sorted(between.items(), key=lambda item: (-rank(item[0][1]), rank(item[0][0])))
    return ", ".join(f"{count:,} of {one} {how} {other}" for (one, other), count in told)


def _two_labels(dataset: Dataset, repeated: Sequence[Sequence[Place]]) -> Finding | None:
    rows: list[Row] = []
    between: Counter[str] = Counter()
    for found in repeated:
        labels = Counter(place.label for place in found)
        if len(labels) > 1:
            rows += [_contradicted(dataset, place, found, labels) for place in found]
            between[listed([dataset.classes[label] for label in sorted(labels)])] += len(found)
    if not rows:
        return None
    named = [f"{labels} ({count:,})" for labels, count in between.most_common()]
    more = f", and {len(named) - 5:,} more such sets of labels" if len(named) > 5 else ""
    return Finding(
        "two-labels",
        "warning",
        len(rows),
        f"{len(rows):,} images have an exact copy under another label: {', '.join(named[:5])}{more}.",
        "Decide which label is right and leave out the other copies: mark them in findings.csv, and pass it to --skip.",
        tuple(rows),
    )


def _contradicted(dataset: Dataset, place: Place, found: Sequence[Place], labels: Counter[int]) -> Row:
    others = [label for label, _ in labels.most_common() if label != place.label]
    return row_at(
        dataset,
        place,
        suggested=dataset.classes[others[0]],
        other=next(one for one in found if one.label == others[0]),
        detail=f"also labelled {listed([dataset.classes[label] for label in others])}",
    )


def _beside(dataset: Dataset, repeated: Sequence[Sequence[Place]]) -> Finding | None:
    """Copies of one class in one split: all but the first of each."""
    rows: list[Row] = []
    within: Counter[str] = Counter()
    for found in repeated:
        first: dict[tuple[str, int], Place] = {}
        for place in found:
            kept = first.setdefault((place.split, place.label), place)
            if kept is not place:
                rows.append(row_at(dataset, place, other=kept, detail=f"twice in {place.split}"))
                within[place.split] += 1
    if not rows:
        return None
    return Finding(
        "copies",
        severity_of(dataset, within),
        len(rows),
        f"{counted(len(rows), 'image is an exact copy', 'images are exact copies')} of one of the same class in "
        f"the same split: {shares(dataset, within)}.",
        "Nothing has to be done: copies stay together when splits are drawn; to count each once, mark them in "
        "findings.csv and pass it to --skip.",
        tuple(rows),
    )


def severity_of(dataset: Dataset, within: Counter[str]) -> Severity:
    """A warning where many images of a split are copies, else a note."""
    many = any(count > MANY * len(dataset.splits[name]) for name, count in within.items())
    return "warning" if many else "note"


def shares(dataset: Dataset, within: Counter[str]) -> str:
    """How many of a split's images: `12 of 3,068 in train, 1 of 341 in validation`."""
    return ", ".join(f"{count:,} of {len(dataset.splits[name]):,} in {name}" for name, count in within.items())
