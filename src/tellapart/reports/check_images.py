"""The images on the page of a check: found by their names, made small, as many as fit."""

import html
from collections import Counter
from collections.abc import Iterable, Mapping

from tellapart.data.dataset import Dataset
from tellapart.data.images import Images
from tellapart.data.pipeline import prefetch_map
from tellapart.errors import ImageError
from tellapart.progress import progress
from tellapart.reports.page import byte_count
from tellapart.reports.report import Thumb, data_uri, thumbnail

SIDE = 120  # pixels: about 3.5 kB each
MARKUP_BYTES = 100  # around an image, the words for who cannot see it aside
AHEAD = 16  # images that are decoded before they are asked for

Place = tuple[Images, int, str]  # where to read an image, and its label


def small_images(dataset: Dataset, names: Iterable[str], room: int) -> dict[str, Thumb]:
    """Make small images of the files named, the first first, as long as all uses of them fit into `room` bytes.

    A file that cannot be read has none.
    """
    uses = Counter(names)
    places = _places(dataset, uses)
    wanted = [name for name in uses if name in places]
    shown: dict[str, Thumb] = {}
    with progress("images", len(wanted), "images") as advance:
        made = prefetch_map(lambda name: _small(name, places[name]), wanted, depth=AHEAD)
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
        name: (split.images, index, dataset.classes[split.labels[index]])
        for split in dataset.splits.values()
        for index in range(len(split))
        if (name := split.images.name(index)) in names
    }


def _small(name: str, place: Place) -> Thumb | None:
    images, index, label = place
    try:
        return Thumb(data_uri(thumbnail(images.read(index), SIDE)), name.rpartition("/")[2], label, label)
    except ImageError:
        return None


def _byte_count(thumb: Thumb) -> int:
    return len(thumb.src) + MARKUP_BYTES + byte_count(html.escape(thumb.name + thumb.true))
