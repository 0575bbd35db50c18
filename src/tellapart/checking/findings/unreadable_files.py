"""Files that are no images: unreadable ones, and those of another kind."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tellapart.checking.finding import Finding, Row
from tellapart.checking.image_facts import Facts
from tellapart.checking.locations import Places, row_at
from tellapart.checking.words import counted, listed, shown
from tellapart.data.dataset import Dataset
from tellapart.data.sources.apply_skips import is_user_skip

PLACE_IN_TABLE = re.compile(r" \((line|row) [\d,]+.*\)$")
"""Where a table names a file: another place for each, though the reason is the same."""


def unreadable(dataset: Dataset, found: Sequence[Row] = ()) -> list[Finding]:
    """Find files that cannot be read: those left out when the data set was opened, and rows `found` since."""
    skipped = [one for one in dataset.skipped if not is_user_skip(one)]
    rows = (*(Row(one.path, "", "", "", detail=one.reason) for one in skipped), *found)
    if not rows:
        return []
    reasons = Counter(PLACE_IN_TABLE.sub("", row.detail) for row in rows)
    why = [f"{reason} ({count:,})" for reason, count in reasons.most_common()]
    finding = Finding(
        "unreadable",
        "warning",
        len(rows),
        f"{counted(len(rows), 'file')} cannot be used and will be left out, {shown(rows[0].path)} first: "
        f"{listed(why, 3)}.",
        "Put good copies in their place, or do nothing: training leaves them out and names each in skipped.csv.",
        rows,
    )
    return [finding]


def readable(dataset: Dataset, where: Places, failed: Mapping[str, str]) -> tuple[Dataset, tuple[Row, ...]]:
    """Leave out the images whose hash is in `failed`, with the reason there; give a row for each of them."""
    gone = [(place, why) for digest, why in failed.items() for place in where.get(digest, ())]
    rows = tuple(row_at(dataset, place, detail=why) for place, why in gone)
    splits = dict(dataset.splits)
    for name in {place.split for place, _ in gone}:
        kept = np.ones(len(splits[name]), dtype=bool)
        kept[[place.number for place, _ in gone if place.split == name]] = False
        splits[name] = splits[name].take(np.flatnonzero(kept).tolist())
    return replace(dataset, splits=splits), rows


def others(dataset: Dataset) -> list[Finding]:
    """Find files that are not images. They have no rows: nothing is to be decided about them."""
    if not dataset.others:
        return []
    count = len(dataset.others)
    finding = Finding(
        "other-files",
        "note",
        count,
        f"{counted(count, 'file is not an image and is', 'files are not images and are')} not looked at: "
        f"{listed(dataset.others, 3)}.",
        "Nothing has to be done, unless one of them is an image in a format that is not read: then save it as JPEG "
        "or PNG.",
    )
    return [finding]


def reasons(facts: Mapping[str, Facts | str]) -> dict[str, str]:
    """Of what was examined, by hash, the images that could not be decoded, and why."""
    return {digest: fact for digest, fact in facts.items() if isinstance(fact, str)}
