"""Find images with little to learn from: blank, tiny, or so elongated that most of them is cropped."""

from collections import Counter
from pathlib import PurePath

import numpy as np

from tellapart.checking.finding import Finding
from tellapart.checking.image_facts import ImageFacts
from tellapart.checking.locations import Examined, Location, path_at, rows_with_detail
from tellapart.data.dataset import Dataset
from tellapart.data.decoding.formats import SUFFIXES_BY_FORMAT
from tellapart.text import counted, joined

BLANK = 3.0
"""Grey levels of 255, as a standard deviation: the noise of a sensor or of JPEG on an even surface."""
SMALL = 32  # pixels of the shorter side: below, people can hardly recognize what a photo shows
SMALL_MEDIAN = 64  # pixels: where the median image is smaller, small images are normal for the data set
MAX_ENLARGEMENT = 4  # an image enlarged further is mostly blur
HUGE = 24_000_000  # pixels, of a large camera: decoding one takes about half a second
MAX_ASPECT = 3.0  # longer to shorter side; beyond, the centre crop is less than a third of the image
FORMATS_BY_EXTENSION = {suffix: name for name, suffixes in SUFFIXES_BY_FORMAT.items() for suffix in suffixes}


def odd_image_findings(dataset: Dataset, examined: Examined, size: int | None = None) -> list[Finding]:
    """Find blank images and odd sizes and shapes. `size` is the side in pixels that the classifier will use."""
    findings = (_blank(dataset, examined), _odd_size(dataset, examined, size), _odd_shape(dataset, examined))
    return [finding for finding in findings if finding]


def _blank(dataset: Dataset, examined: Examined) -> Finding | None:
    blank = sorted((item for item in examined if item[1].spread < BLANK), key=lambda item: item[1].spread)
    rows = rows_with_detail(dataset, blank, lambda _, facts: f"spread {facts.spread:.1f} of 255 grey levels")
    if not rows:
        return None
    return Finding(
        "blank",
        "warning",
        len(rows),
        f"{counted(len(rows), 'image is', 'images are')} blank or nearly blank: of one brightness, within "
        f"{BLANK:.0f} grey levels of 255.",
        "Leave out those that show nothing of their class: mark them in findings.csv, and pass it to --skip.",
        rows,
    )


def _odd_size(dataset: Dataset, examined: Examined, size: int | None) -> Finding | None:
    # Images in arrays share one size, which their owner knows.
    files = [item for item in examined if item[1].format]
    limit = _small_limit(files, size)
    small = sorted((item for item in files if _shorter_side(item[1]) < limit), key=lambda item: _shorter_side(item[1]))
    large = sorted((item for item in files if _pixels(item[1]) > HUGE), key=lambda item: -_pixels(item[1]))
    rows = rows_with_detail(dataset, [*small, *large], lambda _, facts: f"{facts.width:,} x {facts.height:,} pixels")
    if not rows:
        return None
    return Finding(
        "odd-size",
        "warning" if small else "note",
        len(rows),
        f"{' and '.join(_sizes(small, large, limit, size))}.",
        f"{'Check that the small ones still show their class' if small else 'No action is needed'}"
        f"{'; scale the large ones down to read them faster' if large else ', or replace them with larger ones'}.",
        rows,
    )


def _small_limit(files: Examined, size: int | None) -> float:
    """Return the shorter side in pixels below which an image is small for this data set."""
    median = np.median([_shorter_side(facts) for _, facts in files]) if files else 0
    return max(SMALL if median >= SMALL_MEDIAN else 0, (size or 0) / MAX_ENLARGEMENT)


def _sizes(small: Examined, large: Examined, limit: float, size: int | None) -> list[str]:
    reason = f", a quarter of the input size {size}" if size and limit == size / MAX_ENLARGEMENT else ""
    parts = []
    if small:
        parts.append(
            f"{counted(len(small), 'image is', 'images are')} less than {limit:.0f} pixels high or wide{reason}"
        )
    if large:
        parts.append(f"{counted(len(large), 'image has', 'images have')} more than {HUGE / 1e6:.0f} million pixels")
    return parts


def _odd_shape(dataset: Dataset, examined: Examined) -> Finding | None:
    long = (item for item in examined if _aspect(item[1]) > MAX_ASPECT)
    elongated = sorted(long, key=lambda item: -_aspect(item[1]))
    rows = rows_with_detail(dataset, elongated, lambda _, facts: f"{facts.width:,} x {facts.height:,} pixels")
    if not rows:
        return None
    return Finding(
        "odd-shape",
        "warning",
        len(rows),
        f"{counted(len(rows), 'image is', 'images are')} more than {MAX_ASPECT:.0f} times as long as wide or as wide "
        f"as long: the centre crop of the most elongated one is {1 / _aspect(elongated[0][1]):.0%} of it.",
        "Train with --fit pad or --fit stretch, which crop nothing, or crop them by hand to what they show.",
        rows,
    )


def _shorter_side(facts: ImageFacts) -> int:
    return min(facts.width, facts.height)


def _pixels(facts: ImageFacts) -> int:
    return facts.width * facts.height


def _aspect(facts: ImageFacts) -> float:
    return max(facts.width, facts.height) / _shorter_side(facts)


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
