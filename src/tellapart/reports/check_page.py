"""What the data doctor found, as one HTML file that needs no network and runs no script."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from tellapart.checking.finding import SEVERITIES, Finding, Row
from tellapart.data.dataset import Dataset
from tellapart.files import atomic_write
from tellapart.reports.check_images import small_images
from tellapart.reports.page import byte_count, counts_table, still_html
from tellapart.reports.report import DatasetFacts, Table, Thumb

MOST_BYTES = 4_800_000
Form = Literal["pairs", "labels", "images"]
MOST: dict[Form, int] = {"pairs": 40, "labels": 240, "images": 40}  # rows of a finding that are shown
MOST_CLASSES = 1_000  # whose counts are shown: a longer table is not read

TITLES = {
    "unreadable": "Files that cannot be read",
    "leak": "Copies across splits",
    "near-leak": "Near-copies across splits",
    "group-leak": "Groups across splits",
    "two-labels": "One image, two labels",
    "copies": "Copies",
    "near-copies": "Near-copies",
    "empty-class": "Empty classes",
    "missing-class": "Classes missing from a split",
    "tiny-class": "Tiny classes",
    "imbalance": "Uneven classes",
    "label-error": "Likely wrong labels",
    "outlier": "Images of no class",
    "blank": "Blank images",
    "odd-size": "Odd sizes",
    "odd-shape": "Odd shapes",
    "animated": "Animations",
    "exif-rotated": "Turned by the camera",
    "wrong-extension": "Wrong extensions",
    "other-files": "Other files",
}
"""What the section about each kind of finding is called."""


@dataclass(frozen=True)
class Checked:
    """What was checked, what was found, the table that was written of it, and the command that obeys the table."""

    dataset: Dataset
    findings: tuple[Finding, ...]
    table: Path | None
    command: str
    created: str


@dataclass(frozen=True)
class Entry:
    """A row of a finding, its number in the table, where its files stand below the source, and what they show."""

    row: Row
    number: int
    place: str
    other_place: str
    image: Thumb | None
    other: Thumb | None


@dataclass(frozen=True)
class Section:
    """A finding as the page shows it: its first rows, as pairs, as labels in doubt, or as single images."""

    finding: Finding
    title: str
    form: Form
    entries: tuple[Entry, ...]

    @property
    def left_out(self) -> int:
        """How many of its rows are in the table alone."""
        return len(self.finding.rows) - len(self.entries)


def write_check(checked: Checked, path: Path) -> None:
    """Write the page about what was found. Raises StorageError."""
    atomic_write(path, check_html(checked))


def check_html(checked: Checked, *, most: int = MOST_BYTES) -> str:
    """Render the page, with as many images as fit into `most` bytes."""
    room = most - byte_count(_rendered(checked, {}))
    names = (name for section in _sections(checked, {}) for entry in section.entries for name in _names(entry.row))
    return _rendered(checked, small_images(checked.dataset, names, room))


def _rendered(checked: Checked, images: dict[str, Thumb]) -> str:
    sections = tuple(_sections(checked, images))
    return still_html(
        "check.html.jinja",
        checked=checked,
        total=sum(len(split) for split in checked.dataset.splits.values()),
        tally=tally(checked.findings),
        counts=_counts(checked.dataset),
        shown=sections,
        sections=[
            ("images", "The images", True),
            *((section.finding.kind, section.title, True) for section in sections),
            ("next", "What to do", True),
        ],
    )


def tally(findings: Sequence[Finding]) -> str:
    """`2 problems, 1 warning and 4 notes`, or nothing where nothing was found."""
    counts = Counter(finding.severity for finding in findings)
    named = [f"{counts[one]} {one}{'' if counts[one] == 1 else 's'}" for one in SEVERITIES if counts[one]]
    return " and ".join(filter(None, [", ".join(named[:-1]), *named[-1:]]))


def _sections(checked: Checked, images: dict[str, Thumb]) -> Iterator[Section]:
    number = 2  # the first row of a table is its header
    for finding in checked.findings:
        form = _form(finding)
        rows = islice(enumerate(finding.rows, start=number), MOST[form])
        entries = tuple(_entry(row, number, checked.dataset.source, images) for number, row in rows)
        yield Section(finding, TITLES.get(finding.kind, finding.kind), form, entries)
        number += len(finding.rows)


def _form(finding: Finding) -> Form:
    if any(row.other for row in finding.rows):
        return "pairs"
    return "labels" if any(row.suggested for row in finding.rows) else "images"


def _entry(row: Row, number: int, source: str | None, images: dict[str, Thumb]) -> Entry:
    return Entry(
        row,
        number,
        below(row.path, source),
        below(row.other, source),
        images.get(row.path),
        images.get(row.other),
    )


def _names(row: Row) -> Iterator[str]:
    yield row.path
    if row.other:
        yield row.other


def below(path: str, source: str | None) -> str:
    """A file's path from its source on, where it is in there."""
    return path.removeprefix(f"{source.rstrip('/')}/") if source else path


def _counts(dataset: Dataset) -> Table:
    """How many images of each class there are; of very many classes the first."""
    counts = {name: tuple(dataset.counts(name).tolist()) for name in dataset.splits}
    whole = counts_table(DatasetFacts(dataset.name, "", dataset.classes, counts))
    if len(dataset.classes) <= MOST_CLASSES:
        return whole
    more = (f"and {len(dataset.classes) - MOST_CLASSES:,} more", *("" for _ in counts))
    return Table(whole.header, (*whole.rows[:MOST_CLASSES], more, whole.rows[-1]))
