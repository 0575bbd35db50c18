"""The findings of a check as one HTML file that works without a network and without scripts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from tellapart.checking.finding import SEVERITIES, Finding, Row
from tellapart.data.dataset import Dataset
from tellapart.files import atomic_write
from tellapart.reports.check_images import thumbnails_within
from tellapart.reports.render import byte_count, static_html
from tellapart.reports.report import DatasetFacts, Table, Thumbnail
from tellapart.reports.report_page import counts_table
from tellapart.text import counted, joined

MAX_BYTES = 4_800_000
Layout = Literal["pairs", "labels", "images"]
MAX_ROWS: dict[Layout, int] = {"pairs": 40, "labels": 240, "images": 40}  # rows of a finding on the page

TITLES = {
    "unreadable": "Files that cannot be read",
    "leak": "Duplicates across splits",
    "near-leak": "Near-duplicates across splits",
    "group-leak": "Groups across splits",
    "two-labels": "One image, two labels",
    "copies": "Duplicates",
    "near-copies": "Near-duplicates",
    "empty-class": "Empty classes",
    "missing-class": "Classes missing from a split",
    "tiny-class": "Tiny classes",
    "imbalance": "Imbalanced classes",
    "label-error": "Likely wrong labels",
    "outlier": "Outliers",
    "blank": "Blank images",
    "odd-size": "Odd sizes",
    "odd-shape": "Odd shapes",
    "clear-background": "White shapes on a clear background",
    "unused-bits": "Unused bits",
    "animated": "Animations",
    "exif-rotated": "Rotated by EXIF",
    "wrong-extension": "Wrong extensions",
    "unlabelled": "Images without labels",
    "other-files": "Other files",
    "unread-format": "Images in formats that are not read",
}
"""The section title of each kind of finding."""
FIRST = "two-labels"


@dataclass(frozen=True)
class CheckResult:
    """A checked data set, its findings, the table of them, and the command that trains with that table."""

    dataset: Dataset
    findings: tuple[Finding, ...]
    table: Path | None
    command: str
    created: str


@dataclass(frozen=True)
class Entry:
    """A row of a finding, its number in the table, its files' paths below the source, and their thumbnails.

    `other_number` is that of the row of the other file, where a pair stands for both rows.
    """

    row: Row
    number: int
    path: str
    other_path: str
    image: Thumbnail | None
    other: Thumbnail | None
    other_number: int | None = None


@dataclass(frozen=True)
class Section:
    """A finding on the page: its first rows, as pairs, as doubtful labels, or as single images."""

    finding: Finding
    title: str
    layout: Layout
    entries: tuple[Entry, ...]

    @property
    def large(self) -> bool:
        """True where a person has to decide by looking: the same image under two labels."""
        return self.finding.kind == FIRST

    @property
    def left_out(self) -> int:
        """The number of rows that are only in the table."""
        return len(self.finding.rows) - sum(1 + (entry.other_number is not None) for entry in self.entries)


def write_check(checked: CheckResult, path: Path) -> None:
    """Write the page of a check. Raises StorageError."""
    atomic_write(path, check_html(checked))


def check_html(checked: CheckResult, *, most: int = MAX_BYTES) -> str:
    """Render the page of a check, with as many images as fit into `most` bytes."""
    room = most - byte_count(_render(checked, {}))
    sections = _in_reading_order(_sections(checked, {}))
    names = [name for section in sections for entry in section.entries for name in _names(entry.row)]
    large = {name for each in sections if each.large for entry in each.entries for name in _names(entry.row)}
    return _render(checked, thumbnails_within(checked.dataset, names, room, large=large))


def _render(checked: CheckResult, images: dict[str, Thumbnail]) -> str:
    sections = _in_reading_order(_sections(checked, images))
    return static_html(
        "check.html.jinja",
        checked=checked,
        total=sum(len(split) for split in checked.dataset.splits.values()),
        summary=summarize_severities(checked.findings),
        counts=_counts(checked.dataset),
        shown=sections,
        sections=[
            ("next", "What to do", True),
            *((section.finding.kind, section.title, True) for section in sections),
            ("images", "Images", True),
        ],
    )


def summarize_severities(findings: Sequence[Finding]) -> str:
    """Count the findings as `2 problems, 1 warning and 4 notes`; an empty string where there are none."""
    counts = Counter(finding.severity for finding in findings)
    parts = [counted(counts[severity], severity) for severity in SEVERITIES if counts[severity]]
    return joined(parts) if parts else ""


def _sections(checked: CheckResult, images: dict[str, Thumbnail]) -> Iterator[Section]:
    number = 2  # the first row of a table is its header
    for finding in checked.findings:
        layout = _layout(finding)
        rows = list(islice(enumerate(finding.rows, start=number), MAX_ROWS[layout]))
        entries = tuple(_entry(row, number, checked.dataset.source, images) for number, row in rows)
        section = Section(finding, TITLES.get(finding.kind, finding.kind), layout, entries)
        yield replace(section, entries=_once(entries)) if section.large else section
        number += len(finding.rows)


def _in_reading_order(sections: Iterable[Section]) -> tuple[Section, ...]:
    """Put images with two labels first: only a person can say which label is wrong."""
    return tuple(sorted(sections, key=lambda section: not section.large))


def _layout(finding: Finding) -> Layout:
    if any(row.other for row in finding.rows):
        return "pairs"
    return "labels" if any(row.suggested for row in finding.rows) else "images"


def _entry(row: Row, number: int, source: str | None, images: dict[str, Thumbnail]) -> Entry:
    return Entry(
        row,
        number,
        path_below(row.path, source),
        path_below(row.other, source),
        images.get(row.path),
        images.get(row.other),
    )


def _once(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Join the two rows of a pair, each of which names the other, into one entry."""
    numbers = {(entry.row.path, entry.row.other): entry.number for entry in entries}
    return tuple(
        replace(entry, other_number=twin if twin and twin > entry.number else None)
        for entry in entries
        if not (twin := numbers.get((entry.row.other, entry.row.path))) or twin > entry.number
    )


def _names(row: Row) -> Iterator[str]:
    yield row.path
    if row.other:
        yield row.other


def path_below(path: str, source: str | None) -> str:
    """Return a path relative to its source, or unchanged where it is not below it."""
    return path.removeprefix(f"{source.rstrip('/')}/") if source else path


def _counts(dataset: Dataset) -> Table:
    counts = {name: tuple(dataset.counts(name).tolist()) for name in dataset.splits}
    return counts_table(DatasetFacts(dataset.name, "", dataset.classes, counts))
