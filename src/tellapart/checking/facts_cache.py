"""Image facts on disk, by content hash.

The cache grows by shards, each an `.npz` file written whole, so that two processes may fill it together. A shard that
cannot be read is measured again, and a folder that cannot be written only costs time.
"""

import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.image_facts import EMPTY_THUMBNAIL, VERSION, ImageFacts, is_large_enough
from tellapart.data.decode import FORMATS
from tellapart.data.preprocessing import DECODER
from tellapart.errors import StorageError
from tellapart.files import UNREADABLE, atomic_write

KEY = f"{VERSION}-{DECODER}-{len(FORMATS)}"  # formats too: a file is not decoded where Pillow lacks its format


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
    }


def _read_shard(shard: Path, wanted: set[bytes]) -> dict[str, ImageFacts | str]:
    """Read the wanted facts from a shard. Raises one of UNREADABLE when it is damaged."""
    # Opened here, since NumPy does not close a file that turns out to be no valid `.npz`.
    with shard.open("rb") as stream, np.load(stream, allow_pickle=False) as columns:
        digests: list[bytes] = columns["digests"].tolist()
        unreadable: list[bytes] = columns["unreadable"].tolist()
        reasons = dict(zip(unreadable, columns["reasons"].tolist(), strict=True))
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
