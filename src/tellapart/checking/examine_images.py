"""Measure the facts of a data set's images: each distinct image is decoded once, and its facts are cached."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.image_facts import (
    EMPTY_THUMBNAIL,
    VERSION,
    ImageFacts,
    examine_file,
    is_large_enough,
    measure_facts,
)
from tellapart.data.dataset import Dataset
from tellapart.data.decoding.conversion import Conversion
from tellapart.data.decoding.decode_limits import own_limits
from tellapart.data.decoding.formats import FORMATS
from tellapart.data.images import ArrayImages, FileImages, Images
from tellapart.data.levels import Levels, measure_levels
from tellapart.data.pipeline import prefetch_map
from tellapart.data.preprocessing import DECODER
from tellapart.errors import ImageError, StorageError
from tellapart.files import UNREADABLE, atomic_write, cache_folder
from tellapart.progress import Advance, progress
from tellapart.read_files import read_arrays

KEY = f"{VERSION}-{DECODER}-6"  # the last is what the first version wrote here, whose facts still hold
SHARD_IMAGES = 10_000  # images between writes of the cache: at most these are lost in a kill
PREFETCH = 32  # images examined ahead of time
GREY = np.array((0.299, 0.587, 0.114), np.float32)  # source: ITU-R BT.601
Item = tuple[str, Images, int]
"""A content hash, and an image with that content: its images and its index there."""
PASSING = ("not an image", "at most", "not read")  # parts of reasons that another version or limit may not have


def examine_images(dataset: Dataset, levels: Levels | None = None) -> Mapping[str, ImageFacts | str]:
    """Return the facts of each distinct image by content hash, or the reason why it cannot be decoded.

    Images of 16 bits are converted by the range of `levels`, which is measured if not given.
    """
    levels = levels or measure_levels(split.images for split in dataset.splits.values())
    conversion = Conversion(levels.range if levels else None)
    facts: dict[str, ImageFacts | str] = {}
    items: dict[str, Item] = {}
    for split in dataset.splits.values():
        if isinstance(split.images, ArrayImages) and not is_large_enough(*split.images.array.shape[1:3]):
            facts |= zip(split.images.digests, _tiny_facts(split.images.array), strict=True)
        else:
            for index, digest in enumerate(split.images.digests):
                items.setdefault(digest, (digest, split.images, index))
    return facts | _with_cache(items, conversion)


def _with_cache(items: Mapping[str, Item], conversion: Conversion) -> dict[str, ImageFacts | str]:
    cache = cache_folder() / "facts"
    if conversion.range:
        cache /= "-".join(map(str, conversion.range))
    facts = read_facts(cache, items.keys())
    new = [item for digest, item in items.items() if digest not in facts]
    if new:
        with progress("Examining", len(new), "images") as advance:
            for start in range(0, len(new), SHARD_IMAGES):
                facts |= _examine_shard(new[start : start + SHARD_IMAGES], conversion, cache, advance)
    return facts


def _examine_shard(
    items: Sequence[Item], conversion: Conversion, cache: Path, advance: Advance
) -> dict[str, ImageFacts | str]:
    """Examine images and cache their facts, those measured before an interruption too."""
    results: dict[str, ImageFacts | str] = {}
    temporary: set[str] = set()
    try:
        examined = prefetch_map(partial(_examine, conversion), items, depth=PREFETCH)
        for (digest, _, _), (facts, is_final) in zip(items, examined, strict=True):
            results[digest] = facts
            if not is_final:
                temporary.add(digest)
            advance(1)
    finally:
        write_facts(cache, {digest: facts for digest, facts in results.items() if digest not in temporary})
    return results


def _examine(conversion: Conversion, item: Item) -> tuple[ImageFacts | str, bool]:
    """Examine an image; the second value is whether the same content will always give this result."""
    _, images, index = item
    try:
        content = images.content(index) if isinstance(images, FileImages) else images.read(index)
    except ImageError as error:  # the file is gone, not permitted or changed: the next read may succeed
        return str(error), False
    try:
        return (examine_file(content, conversion) if isinstance(content, bytes) else measure_facts(content)), True
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


def read_facts(folder: Path, wanted: Collection[str]) -> dict[str, ImageFacts | str]:
    """Read the cached facts of some images, or the reasons why they cannot be decoded."""
    facts: dict[str, ImageFacts | str] = {}
    for shard in sorted((folder / KEY).glob("*.npz")):
        with suppress(*UNREADABLE):
            facts |= _read_shard(shard, {digest.encode() for digest in wanted if digest not in facts})
    return facts


def write_facts(folder: Path, facts: Mapping[str, ImageFacts | str]) -> None:
    """Add a shard with these facts, where there are any and the disk allows it."""
    if facts:
        stream = BytesIO()
        np.savez(stream, allow_pickle=False, **_to_columns(facts))
        with suppress(StorageError):
            atomic_write(folder / KEY / f"{uuid.uuid4().hex}.npz", stream.getvalue())


def _reader() -> str:
    """Name what decides, besides the bytes, whether an image can be decoded."""
    return f"{'+'.join(FORMATS)} {own_limits().pixels}"


def _to_columns(facts_by_digest: Mapping[str, ImageFacts | str]) -> dict[str, NDArray[Any]]:
    good = {digest: facts for digest, facts in facts_by_digest.items() if isinstance(facts, ImageFacts)}
    bad = {digest: reason for digest, reason in facts_by_digest.items() if isinstance(reason, str)}
    small = [facts.small for facts in good.values() if is_large_enough(facts.width, facts.height)]
    numbers = [(facts.width, facts.height, facts.turned, facts.frames) for facts in good.values()]
    return {
        "digests": np.array([digest.encode() for digest in good], "S64"),
        "formats": np.array([facts.format for facts in good.values()], np.str_),
        "numbers": np.array(numbers, np.int64).reshape(-1, 4),
        "spreads": np.array([facts.spread for facts in good.values()], np.float64),
        "hashes": np.array([(facts.hash, facts.mirrored) for facts in good.values()], np.uint64).reshape(-1, 2),
        "colours": np.array([facts.colour for facts in good.values()], np.float32).reshape(-1, 3),
        "small": np.array(small, np.uint8).reshape(-1, *EMPTY_THUMBNAIL.shape),
        "unreadable": np.array([digest.encode() for digest in bad], "S64"),
        "reasons": np.array([*bad.values()], np.str_),
        "reader": np.array(_reader()),
    }


def _read_shard(shard: Path, wanted: set[bytes]) -> dict[str, ImageFacts | str]:
    """Read the wanted facts from a shard. Raises one of UNREADABLE when it is damaged."""
    columns = read_arrays(shard)
    digests: list[bytes] = columns["digests"].tolist()
    unreadable: list[bytes] = columns["unreadable"].tolist()
    reasons = dict(zip(unreadable, columns["reasons"].tolist(), strict=True))
    if "reader" not in columns or columns["reader"] != _reader():
        reasons = {digest: text for digest, text in reasons.items() if not any(part in text for part in PASSING)}
    result: dict[str, ImageFacts | str] = {digest.decode(): reasons[digest] for digest in reasons.keys() & wanted}
    if not wanted.isdisjoint(digests):
        rows = zip(digests, _from_columns(columns), strict=True)
        result |= {digest.decode(): facts for digest, facts in rows if digest in wanted}
    return result


def _from_columns(columns: Mapping[str, NDArray[Any]]) -> list[ImageFacts]:
    names = ("formats", "numbers", "spreads", "hashes", "colours")
    rows = zip(*(columns[name].tolist() for name in names), strict=True)
    thumbnails = columns["small"].reshape(-1, *EMPTY_THUMBNAIL.shape)
    result = []
    used = 0
    for format_, (width, height, turned, frames), spread, (hash_, mirrored), (red, green, blue) in rows:
        small = EMPTY_THUMBNAIL
        if is_large_enough(width, height):
            (small,), used = thumbnails[used : used + 1], used + 1  # a ValueError where there is none
        basics = (format_, width, height, bool(turned), frames, spread)
        result.append(ImageFacts(*basics, hash_, mirrored, small, (red, green, blue)))
    return result
