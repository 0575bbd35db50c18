"""The facts of a data set's images: each distinct one is decoded once, and what was found is kept on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.facts_cache import keep, kept
from tellapart.checking.image_facts import NOTHING, Facts, examine, measure, tells
from tellapart.data.dataset import ArrayImages, Dataset, FileImages, Images
from tellapart.data.pipeline import prefetch_map
from tellapart.errors import ImageError
from tellapart.files import cache_folder
from tellapart.progress import Advance, progress

KEPT_EVERY = 10_000  # images: what a kill costs at most
DEPTH = 32  # images that are looked at ahead of time
GREY = np.array((0.299, 0.587, 0.114), np.float32)  # source: ITU-R BT.601
Place = tuple[str, Images, int]
"""A content hash, and where an image of it is."""


def examined(dataset: Dataset) -> Mapping[str, Facts | str]:
    """The facts of each distinct image by content hash, or in their place the sentence why it has none."""
    found: dict[str, Facts | str] = {}
    places: dict[str, Place] = {}
    for split in dataset.splits.values():
        if isinstance(split.images, ArrayImages) and not tells(*split.images.array.shape[1:3]):
            found |= zip(split.images.digests, _tiny(split.images.array), strict=True)
        else:
            for index, digest in enumerate(split.images.digests):
                places.setdefault(digest, (digest, split.images, index))
    return found | _looked_up(places)


def _looked_up(places: Mapping[str, Place]) -> dict[str, Facts | str]:
    cache = cache_folder() / "facts"
    found = kept(cache, places.keys())
    new = [place for digest, place in places.items() if digest not in found]
    if new:
        with progress("Examining", len(new), "images") as advance:
            for start in range(0, len(new), KEPT_EVERY):
                found |= _examined(new[start : start + KEPT_EVERY], cache, advance)
    return found


def _examined(places: Sequence[Place], cache: Path, advance: Advance) -> dict[str, Facts | str]:
    """Examine images, and keep what was found, also when interrupted."""
    found: dict[str, Facts | str] = {}
    passing: set[str] = set()
    try:
        for (digest, _, _), (facts, lasts) in zip(places, prefetch_map(_one, places, depth=DEPTH), strict=True):
            found[digest] = facts
            if not lasts:
                passing.add(digest)
            advance(1)
    finally:
        keep(cache, {digest: facts for digest, facts in found.items() if digest not in passing})
    return found


def _one(place: Place) -> tuple[Facts | str, bool]:
    """Examine an image; the second says whether that will always be found of the same content."""
    _, images, index = place
    try:
        content = images.content(index) if isinstance(images, FileImages) else images.read(index)
    except ImageError as error:  # the file is gone, closed to us, or changed: its next reading may go well
        return str(error), False
    try:
        return (examine(content) if isinstance(content, bytes) else measure(content)), True
    except ImageError as error:
        return str(error), True


def _tiny(array: NDArray[np.uint8]) -> list[Facts]:
    """The facts of many images too small for a hash, uint8 (n, h, w, 1 or 3): in one go, and not worth keeping."""
    height, width = array.shape[1:3]
    result = []
    for start in range(0, len(array), KEPT_EVERY):
        part = array[start : start + KEPT_EVERY]
        grey = part @ GREY if part.shape[3] == GREY.size else part[:, :, :, 0]
        spreads = grey.reshape(len(part), -1).std(axis=1, dtype=np.float32)
        result += [
            Facts("", width, height, turned=False, frames=1, spread=s, hash=0, mirrored=0, small=NOTHING)
            for s in spreads.tolist()
        ]
    return result
