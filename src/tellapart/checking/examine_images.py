"""Measure the facts of a data set's images: each distinct image is decoded once, and its facts are cached."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.facts_cache import read_facts, write_facts
from tellapart.checking.image_facts import EMPTY_THUMBNAIL, ImageFacts, examine_file, is_large_enough, measure_facts
from tellapart.data.dataset import Dataset
from tellapart.data.images import ArrayImages, FileImages, Images
from tellapart.data.pipeline import prefetch_map
from tellapart.errors import ImageError
from tellapart.files import cache_folder
from tellapart.progress import Advance, progress

SHARD_IMAGES = 10_000  # images between writes of the cache: at most these are lost in a kill
PREFETCH = 32  # images examined ahead of time
GREY = np.array((0.299, 0.587, 0.114), np.float32)  # source: ITU-R BT.601
Item = tuple[str, Images, int]
"""A content hash, and an image with that content: its images and its index there."""


def examine_images(dataset: Dataset) -> Mapping[str, ImageFacts | str]:
    """Return the facts of each distinct image by content hash, or the reason why it cannot be decoded."""
    facts: dict[str, ImageFacts | str] = {}
    items: dict[str, Item] = {}
    for split in dataset.splits.values():
        if isinstance(split.images, ArrayImages) and not is_large_enough(*split.images.array.shape[1:3]):
            facts |= zip(split.images.digests, _tiny_facts(split.images.array), strict=True)
        else:
            for index, digest in enumerate(split.images.digests):
                items.setdefault(digest, (digest, split.images, index))
    return facts | _with_cache(items)


def _with_cache(items: Mapping[str, Item]) -> dict[str, ImageFacts | str]:
    cache = cache_folder() / "facts"
    facts = read_facts(cache, items.keys())
    new = [item for digest, item in items.items() if digest not in facts]
    if new:
        with progress("Examining", len(new), "images") as advance:
            for start in range(0, len(new), SHARD_IMAGES):
                facts |= _examine_shard(new[start : start + SHARD_IMAGES], cache, advance)
    return facts


def _examine_shard(items: Sequence[Item], cache: Path, advance: Advance) -> dict[str, ImageFacts | str]:
    """Examine images and cache their facts, those measured before an interruption too."""
    results: dict[str, ImageFacts | str] = {}
    temporary: set[str] = set()
    try:
        for (digest, _, _), (facts, is_final) in zip(items, prefetch_map(_examine, items, depth=PREFETCH), strict=True):
            results[digest] = facts
            if not is_final:
                temporary.add(digest)
            advance(1)
    finally:
        write_facts(cache, {digest: facts for digest, facts in results.items() if digest not in temporary})
    return results


def _examine(item: Item) -> tuple[ImageFacts | str, bool]:
    """Examine an image; the second value is whether the same content will always give this result."""
    _, images, index = item
    try:
        content = images.content(index) if isinstance(images, FileImages) else images.read(index)
    except ImageError as error:  # the file is gone, not permitted or changed: the next read may succeed
        return str(error), False
    try:
        return (examine_file(content) if isinstance(content, bytes) else measure_facts(content)), True
    except ImageError as error:
        return str(error), True


def _tiny_facts(array: NDArray[np.uint8]) -> list[ImageFacts]:
    """Measure images too small for a hash, uint8 (n, h, w, 1 or 3), without the cache, which would not be faster."""
    height, width = array.shape[1:3]
    result = []
    for start in range(0, len(array), SHARD_IMAGES):
        part = array[start : start + SHARD_IMAGES]
        grey = part @ GREY if part.shape[3] == GREY.size else part[:, :, :, 0]
        spreads = grey.reshape(len(part), -1).std(axis=1, dtype=np.float32)
        result += [
            ImageFacts("", width, height, turned=False, frames=1, spread=s, hash=0, mirrored=0, small=EMPTY_THUMBNAIL)
            for s in spreads.tolist()
        ]
    return result
