"""Find files that are handled but may trouble other programs: misnamed, rotated by EXIF, or animated."""

from collections import Counter
from pathlib import PurePath

from tellapart.checking.finding import Finding
from tellapart.checking.image_facts import ImageFacts
from tellapart.checking.locations import Examined, Location, path_at, rows_with_detail
from tellapart.data.dataset import Dataset
from tellapart.text import counted, joined

FORMATS_BY_EXTENSION = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".webp": "WEBP", ".gif": "GIF",
    ".bmp": "BMP", ".avif": "AVIF",
}  # fmt: skip


def odd_format_findings(dataset: Dataset, examined: Examined) -> list[Finding]:
    """Find wrong extensions, EXIF rotations and animations."""
    findings = (
        _wrong_extension(dataset, examined),
        _exif_rotated(dataset, examined),
        _animated(dataset, examined),
    )
    return [finding for finding in findings if finding]


def _wrong_extension(dataset: Dataset, examined: Examined) -> Finding | None:
    def mismatch(location: Location, facts: ImageFacts) -> str:
        extension = PurePath(path_at(dataset, location)).suffix.lower()
        expected = FORMATS_BY_EXTENSION.get(extension, facts.format) if facts.format else ""  # no file for arrays
        return f"{facts.format}, not {expected}" if expected != facts.format else ""

    rows = rows_with_detail(dataset, examined, mismatch)
    if not rows:
        return None
    kinds = [f"{kind} ({count:,})" for kind, count in Counter(row.detail for row in rows).most_common()]
    return Finding(
        "wrong-extension",
        "note",
        len(rows),
        f"{counted(len(rows), 'file has', 'files have')} another format than the extension says: {joined(kinds)}.",
        "No action is needed, since the content decides here; rename them if other programs will read them.",
        rows,
    )


def _exif_rotated(dataset: Dataset, examined: Examined) -> Finding | None:
    rows = rows_with_detail(dataset, examined, lambda _, facts: "rotated upright when read" if facts.turned else "")
    if not rows:
        return None
    return Finding(
        "exif-rotated",
        "note",
        len(rows),
        f"{counted(len(rows), 'photo is', 'photos are')} stored rotated or mirrored, with the orientation in EXIF.",
        "No action is needed, since images are rotated upright here; programs that ignore EXIF show them rotated.",
        rows,
    )


def _animated(dataset: Dataset, examined: Examined) -> Finding | None:
    rows = rows_with_detail(dataset, examined, lambda _, facts: f"{facts.frames:,} frames" if facts.frames > 1 else "")
    if not rows:
        return None
    return Finding(
        "animated",
        "note",
        len(rows),
        f"{counted(len(rows), 'file has', 'files have')} several frames, of which only the first is used.",
        "Check that the first frame shows what the label says; otherwise save the right frame as an image of its own.",
        rows,
    )
