"""Images that hold little to learn from: blank, tiny, or so long that most of them is cut away."""

import numpy as np

from tellapart.checking.finding import Finding
from tellapart.checking.image_facts import Facts
from tellapart.checking.locations import Seen, rows_where
from tellapart.checking.words import counted
from tellapart.data.dataset import Dataset

BLANK = 3.0
"""Grey levels of 255, as a standard deviation: what a sensor's or JPEG's noise alone makes of an even surface."""
SMALL = 32  # pixels of the shorter side: the least for which a thing in a photo can be told by a person
ALL_SMALL = 64  # pixels: where the middle one of all images is less, small is how this data set is
ENLARGED = 4  # times: an image blown up further is mostly blur where it is looked at
ENORMOUS = 24_000_000  # pixels, a large camera's: decoding one takes about half a second, each time it is read
LONG = 3.0  # longer to shorter side: beyond, the square in the middle is less than a third of it


def odd_images(dataset: Dataset, seen: Seen, size: int | None = None) -> list[Finding]:
    """Find images without content, of odd sizes or shapes. `size` is the side in pixels that they will be seen at."""
    found = (_blank(dataset, seen), _odd_size(dataset, seen, size), _odd_shape(dataset, seen))
    return [finding for finding in found if finding]


def _blank(dataset: Dataset, seen: Seen) -> Finding | None:
    even = sorted((one for one in seen if one[1].spread < BLANK), key=lambda one: one[1].spread)
    rows = rows_where(dataset, even, lambda _, facts: f"spread {facts.spread:.1f} of 255 grey levels")
    if not rows:
        return None
    return Finding(
        "blank",
        "warning",
        len(rows),
        f"{counted(len(rows), 'image is', 'images are')} blank or nearly: all of one brightness, within "
        f"{BLANK:.0f} grey levels of 255.",
        "Leave out those that show nothing of their class: mark them in findings.csv, and pass it to --skip.",
        rows,
    )


def _odd_size(dataset: Dataset, seen: Seen, size: int | None) -> Finding | None:
    # Images in arrays have all one size, which their owner knows.
    files = [one for one in seen if one[1].format]
    least = _least(files, size)
    small = sorted((one for one in files if _shorter(one[1]) < least), key=lambda one: _shorter(one[1]))
    large = sorted((one for one in files if _pixels(one[1]) > ENORMOUS), key=lambda one: -_pixels(one[1]))
    rows = rows_where(dataset, [*small, *large], lambda _, facts: f"{facts.width:,} x {facts.height:,} pixels")
    if not rows:
        return None
    return Finding(
        "odd-size",
        "warning" if small else "note",
        len(rows),
        f"{' and '.join(_sizes(small, large, least, size))}.",
        f"{'Look whether the small ones still show their class' if small else 'Nothing has to be done'}"
        f"{'; scale the large ones down once, to read them faster' if large else ', or replace them by larger ones'}.",
        rows,
    )


def _least(files: Seen, size: int | None) -> float:
    """The shorter side in pixels below which an image is small here."""
    usual = np.median([_shorter(facts) for _, facts in files]) if files else 0
    return max(SMALL if usual >= ALL_SMALL else 0, (size or 0) / ENLARGED)


def _sizes(small: Seen, large: Seen, least: float, size: int | None) -> list[str]:
    why = f", a quarter of the {size} at which they are seen" if size and least == size / ENLARGED else ""
    parts = []
    if small:
        parts.append(f"{counted(len(small), 'image is', 'images are')} less than {least:.0f} pixels high or wide{why}")
    if large:
        parts.append(f"{counted(len(large), 'image has', 'images have')} more than {ENORMOUS / 1e6:.0f} million pixels")
    return parts


def _odd_shape(dataset: Dataset, seen: Seen) -> Finding | None:
    long = sorted((one for one in seen if _aspect(one[1]) > LONG), key=lambda one: -_aspect(one[1]))
    rows = rows_where(dataset, long, lambda _, facts: f"{facts.width:,} x {facts.height:,} pixels")
    if not rows:
        return None
    return Finding(
        "odd-shape",
        "warning",
        len(rows),
        f"{counted(len(rows), 'image is', 'images are')} more than {LONG:.0f} times as long as wide or as wide as "
        f"long: of the longest, the square in its middle is {1 / _aspect(long[0][1]):.0%}.",
        "Train with --fit pad or --fit stretch, which cut nothing away, or crop them by hand to what they show.",
        rows,
    )


def _shorter(facts: Facts) -> int:
    return min(facts.width, facts.height)


def _pixels(facts: Facts) -> int:
    return facts.width * facts.height


def _aspect(facts: Facts) -> float:
    return max(facts.width, facts.height) / _shorter(facts)
