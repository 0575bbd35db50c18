"""Files that are read all the same: named as what they are not, turned, or with several images in them."""

from collections import Counter
from pathlib import PurePath

from tellapart.checking.finding import Finding
from tellapart.checking.image_facts import Facts
from tellapart.checking.locations import Place, Seen, name_of, rows_where
from tellapart.checking.words import counted, listed
from tellapart.data.dataset import Dataset

FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".webp": "WEBP", ".gif": "GIF",
    ".bmp": "BMP", ".avif": "AVIF",
}  # fmt: skip
"""What the ending of a file's name promises. No ending promises nothing."""


def odd_files(dataset: Dataset, seen: Seen) -> list[Finding]:
    """Find wrong endings, turned images and animations: all are handled, but other programs may not."""
    found = (_wrong_extension(dataset, seen), _rotated(dataset, seen), _animated(dataset, seen))
    return [finding for finding in found if finding]


def _wrong_extension(dataset: Dataset, seen: Seen) -> Finding | None:
    def told(place: Place, facts: Facts) -> str:
        ending = PurePath(name_of(dataset, place)).suffix.lower()
        promised = FORMATS.get(ending, facts.format) if facts.format else ""  # none in an array
        return f"{facts.format}, not {promised}" if promised != facts.format else ""

    rows = rows_where(dataset, seen, told)
    if not rows:
        return None
    kinds = [f"{kind} ({count:,})" for kind, count in Counter(row.detail for row in rows).most_common()]
    return Finding(
        "wrong-extension",
        "note",
        len(rows),
        f"{counted(len(rows), 'file is', 'files are')} not what the end of the name says: {listed(kinds)}.",
        "Nothing has to be done here, where the content counts; rename them if other programs are to read them.",
        rows,
    )


def _rotated(dataset: Dataset, seen: Seen) -> Finding | None:
    rows = rows_where(dataset, seen, lambda _, facts: "turned upright when read" if facts.turned else "")
    if not rows:
        return None
    return Finding(
        "exif-rotated",
        "note",
        len(rows),
        f"{counted(len(rows), 'photo lies', 'photos lie')} on the side or head in the file and "
        f"{'says' if len(rows) == 1 else 'say'} so in EXIF.",
        "Nothing has to be done here, where each is turned upright; a program that ignores EXIF sees them turned.",
        rows,
    )


def _animated(dataset: Dataset, seen: Seen) -> Finding | None:
    rows = rows_where(dataset, seen, lambda _, facts: f"{facts.frames:,} frames" if facts.frames > 1 else "")
    if not rows:
        return None
    return Finding(
        "animated",
        "note",
        len(rows),
        f"{counted(len(rows), 'file holds', 'files hold')} several images, of which the first alone is looked at.",
        "Look whether the first frame shows what the label says; save the frame that does as an image of its own.",
        rows,
    )
