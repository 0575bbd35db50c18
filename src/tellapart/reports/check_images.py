"""Thumbnails of the images on the page of a check, as many as fit."""

import html
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from tellapart.data.dataset import Dataset
from tellapart.data.decoding.conversion import Conversion
from tellapart.data.images import Images
from tellapart.data.levels import visible_conversion
from tellapart.data.pipeline import prefetch_map
from tellapart.errors import ImageError
from tellapart.progress import progress
from tellapart.reports.render import byte_count
from tellapart.reports.report import Thumbnail, data_uri, thumbnail_jpeg

SIDE, LARGE_SIDE = 120, 280  # pixels: about 3.5 and 12 kB each
MARKUP_BYTES = 100  # around an image, without its alternative text
PREFETCHED = 16  # images that are decoded ahead
ImageLocation = tuple[Images, int, str]  # the images of a split, an index, and the label there


def thumbnails_within(
    dataset: Dataset, names: Iterable[str], room: int, *, large: Collection[str] = ()
) -> dict[str, Thumbnail]:
    """Make thumbnails of the files named, in order, while all their uses fit into `room` bytes; some are `large`.

    Files that cannot be read have none.
    """

    def thumbnail(name: str) -> Thumbnail | None:
        return _thumbnail(name, locations[name], conversion, LARGE_SIDE if name in large else SIDE)

    uses = Counter(names)
    locations = _locate(dataset, uses)
    readable = [name for name in uses if name in locations]
    shown: dict[str, Thumbnail] = {}
    conversion = visible_conversion(split.images for split in dataset.splits.values())
    with progress("images", len(readable), "images") as advance:
        thumbs = prefetch_map(thumbnail, readable, depth=PREFETCHED)
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


def _thumbnail(name: str, location: ImageLocation, conversion: Conversion, side: int) -> Thumbnail | None:
    images, index, label = location
    try:
        return Thumbnail(
            data_uri(thumbnail_jpeg(images.read(index, conversion), side)), name.rpartition("/")[2], label, label
        )
    except ImageError:
        return None


def _byte_count(thumb: Thumbnail) -> int:
    return len(thumb.src) + MARKUP_BYTES + byte_count(html.escape(thumb.name + thumb.true))
