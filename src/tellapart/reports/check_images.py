"""Thumbnails for the page of a check, as many as fit."""

import html
from collections import Counter
from collections.abc import Iterable, Mapping

from tellapart.data.dataset import Dataset
from tellapart.data.images import Images
from tellapart.data.pipeline import prefetch_map
from tellapart.errors import ImageError
from tellapart.progress import progress
from tellapart.reports.render import byte_count
from tellapart.reports.report import Thumbnail, data_uri, thumbnail_jpeg

SIDE = 120  # pixels: about 3.5 kB each
MARKUP_BYTES = 100  # around an image, without its alternative text
PREFETCHED = 16  # images that are decoded ahead

ImageLocation = tuple[Images, int, str]  # the images of a split, an index, and the label there


def thumbnails_within(dataset: Dataset, names: Iterable[str], room: int) -> dict[str, Thumbnail]:
    """Make thumbnails of the files named, in order, while all their uses fit into `room` bytes.

    Files that cannot be read have none.
    """
    uses = Counter(names)
    locations = _locate(dataset, uses)
    readable = [name for name in uses if name in locations]
    shown: dict[str, Thumbnail] = {}
    with progress("images", len(readable), "images") as advance:
        thumbs = prefetch_map(lambda name: _thumbnail(name, locations[name]), readable, depth=PREFETCHED)
        for name, thumb in zip(readable, thumbs, strict=True):
            advance(1)
            if thumb is None:
                continue
            room -= uses[name] * _byte_count(thumb)
            if room < 0:
                break
            shown[name] = thumb
    return shown


def _locate(dataset: Dataset, names: Mapping[str, int]) -> dict[str, ImageLocation]:
    return {
        name: (split.images, index, dataset.classes[split.labels[index]])
        for split in dataset.splits.values()
        for index in range(len(split))
        if (name := split.images.name(index)) in names
    }


def _thumbnail(name: str, location: ImageLocation) -> Thumbnail | None:
    images, index, label = location
    try:
        return Thumbnail(data_uri(thumbnail_jpeg(images.read(index), SIDE)), name.rpartition("/")[2], label, label)
    except ImageError:
        return None


def _byte_count(thumb: Thumbnail) -> int:
    return len(thumb.src) + MARKUP_BYTES + byte_count(html.escape(thumb.name + thumb.true))
