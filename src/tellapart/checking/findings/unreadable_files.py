"""Find files that are not usable images: unreadable ones, and files of other kinds."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

import numpy as np

from tellapart.checking.finding import Finding, Row
from tellapart.checking.image_facts import ImageFacts
from tellapart.checking.locations import Locations, row_at
from tellapart.data.dataset import Dataset
from tellapart.data.decoding.formats import other_format, suffix_of, ways_out
from tellapart.data.sources.apply_skips import is_user_skip
from tellapart.text import counted, joined, printable

LINE_OF_TABLE = re.compile(r" \((line|row) [\d,]+.*\)$")
"""The part of a reason that names a line of a table: it differs for each file with the same reason."""


def unreadable_findings(dataset: Dataset, unread: Sequence[Row] = ()) -> list[Finding]:
    """Find unreadable files: those skipped when the data set was opened, and the rows `unread` found since."""
    skipped = [item for item in dataset.skipped if not is_user_skip(item)]
    rows = (*(Row(item.path, "", "", "", detail=item.reason) for item in skipped), *unread)
    if not rows:
        return []
    counts = Counter(LINE_OF_TABLE.sub("", row.detail) for row in rows)
    reasons = [f"{reason} ({count:,})" for reason, count in counts.most_common()]
    finding = Finding(
        "unreadable",
        "warning",
        len(rows),
        f"{counted(len(rows), 'file')} cannot be used and will be skipped, {printable(rows[0].path)} first: "
        f"{joined(reasons, 3)}.",
        "Replace them with good copies, or do nothing: training skips them and lists each in skipped.csv.",
        rows,
    )
    return [finding]


def drop_unreadable(
    dataset: Dataset, locations: Locations, failures: Mapping[str, str]
) -> tuple[Dataset, tuple[Row, ...]]:
    """Drop the images whose content hash is in `failures`, a mapping to reasons; return a row for each."""
    failed = [(location, reason) for digest, reason in failures.items() for location in locations.get(digest, ())]
    rows = tuple(row_at(dataset, location, detail=reason) for location, reason in failed)
    splits = dict(dataset.splits)
    for name in {location.split for location, _ in failed}:
        keep = np.ones(len(splits[name]), dtype=bool)
        keep[[location.number for location, _ in failed if location.split == name]] = False
        splits[name] = splits[name].take(np.flatnonzero(keep).tolist())
    return replace(dataset, splits=splits), rows


def other_file_findings(dataset: Dataset) -> list[Finding]:
    """Find files that are no labelled images. The findings have no rows: there is nothing to decide about them."""
    return [*_unlabelled(dataset), *_unread_formats(dataset), *_no_images(dataset)]


def _unlabelled(dataset: Dataset) -> list[Finding]:
    if not dataset.unlabelled:
        return []
    count = len(dataset.unlabelled)
    finding = Finding(
        "unlabelled",
        "note",
        count,
        f"{counted(count, 'image has', 'images have')} no label and {'is' if count == 1 else 'are'} ignored: "
        f"{joined(dataset.unlabelled, 3)}.",
        "Label them to use them, or classify them afterwards with tellapart predict.",
    )
    return [finding]


def _no_images(dataset: Dataset) -> list[Finding]:
    paths = [path for path in dataset.others if not other_format(path)]
    if not paths:
        return []
    finding = Finding(
        "other-files",
        "note",
        len(paths),
        f"{counted(len(paths), 'file is not an image and is', 'files are not images and are')} ignored: "
        f"{joined(paths, 3)}.",
        "No action is needed.",
    )
    return [finding]


def _unread_formats(dataset: Dataset) -> list[Finding]:
    paths = [path for path in dataset.others if other_format(path)]
    if not paths:
        return []
    suffixes = Counter(map(suffix_of, paths))
    by_class = Counter(_class_of(dataset, path) for path in paths)
    read = Counter(dict.fromkeys(dataset.classes, 0))
    for split in dataset.splits:
        read.update(dict(zip(dataset.classes, dataset.counts(split).tolist(), strict=True)))
    shares = [f"{count:,} of {count + read[name]:,} of {name}" for name, count in by_class.most_common() if name]
    where = f": {joined(shares)}" if shares else ""
    finding = Finding(
        "unread-format",
        "warning",
        len(paths),
        f"{counted(len(paths), 'image is', 'images are')} left out, since the format is not read "
        f"({', '.join(f'{suffix} {count:,}' for suffix, count in suffixes.most_common())}){where}.",
        f"To have them read, {ways_out(suffix for suffix, _ in suffixes.most_common())}.",
    )
    return [finding]


def _class_of(dataset: Dataset, path: str) -> str:
    """Return the class whose folder a file is in; "" if it is in none."""
    return next((part for part in reversed(PurePath(path).parts[:-1]) if part in dataset.classes), "")


def failure_reasons(facts_by_digest: Mapping[str, ImageFacts | str]) -> dict[str, str]:
    """Return the reasons, by content hash, why images could not be decoded."""
    return {digest: reason for digest, reason in facts_by_digest.items() if isinstance(reason, str)}
