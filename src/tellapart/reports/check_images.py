"""The pictures on the page of a check: found by their names, made small, as many as fit."""

import html
from collections import Counter
from collections.abc import Iterable, Mapping

from tellapart.data.dataset import Dataset, Pictures
from tellapart.data.pipeline import ahead
from tellapart.errors import PictureError
from tellapart.progress import progress
from tellapart.reports.page import byte_count
from tellapart.reports.report import Thumb, data_uri, thumbnail

SIDE = 120  # pixels: about 3.5 kB each
MARKUP_BYTES = 100  # around a picture, the words for who cannot see it aside
AHEAD = 16  # pictures that are decoded before they are asked for

Place = tuple[Pictures, int, str]  # where to read a picture, and its label


def small_pictures(dataset: Dataset, names: Iterable[str], room: int) -> dict[str, Thumb]:
    """Make small pictures of the files named, the first first, as long as all uses of them fit into `room` bytes.

    A file that cannot be read has none.
    """
    uses = Counter(names)
    places = _places(dataset, uses)
    wanted = [name for name in uses if name in places]
    shown: dict[str, Thumb] = {}
    with progress("pictures", len(wanted), "pictures") as advance:
        made = ahead(lambda name: _small(name, places[name]), wanted, depth=AHEAD)
        for name, thumb in zip(wanted, made, strict=True):
            advance(1)
            if thumb is None:
                continue
            room -= uses[name] * _byte_count(thumb)
            if room < 0:
                break
            shown[name] = thumb
    return shown


def _places(dataset: Dataset, names: Mapping[str, int]) -> dict[str, Place]:
    return {
        name: (split.pictures, index, dataset.classes[split.labels[index]])
        for split in dataset.splits.values()
        for index in range(len(split))
        if (name := split.pictures.name(index)) in names
    }


def _small(name: str, place: Place) -> Thumb | None:
    pictures, index, label = place
    try:
        return Thumb(data_uri(thumbnail(pictures.read(index), SIDE)), name.rpartition("/")[2], label, label)
    except PictureError:
        return None


def _byte_count(thumb: Thumb) -> int:
    return len(thumb.src) + MARKUP_BYTES + byte_count(html.escape(thumb.name + thumb.true))
