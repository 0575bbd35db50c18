"""Facts on disk, by content hash.

The cache grows by shards, each an `.npz` written whole, so two runs may fill it at once. What cannot be read of it
is made again, and where it cannot be written the facts are only slower to have.
"""

import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.image_facts import NOTHING, VERSION, Facts, tells
from tellapart.data.image import FORMATS
from tellapart.data.preprocessing import DECODER
from tellapart.errors import StorageError
from tellapart.files import UNREADABLE, atomic_write

KEY = f"{VERSION}-{DECODER}-{len(FORMATS)}"  # formats too: a file is not decoded where Pillow lacks its format


def kept(folder: Path, wanted: Collection[str]) -> dict[str, Facts | str]:
    """What earlier runs found of some images: their facts, or why they cannot be decoded."""
    found: dict[str, Facts | str] = {}
    for shard in sorted((folder / KEY).glob("*.npz")):
        with suppress(*UNREADABLE):
            found |= _read(shard, {digest.encode() for digest in wanted if digest not in found})
    return found


def keep(folder: Path, found: Mapping[str, Facts | str]) -> None:
    """Add a shard, if there is anything to add and the disk allows it."""
    if found:
        stream = BytesIO()
        np.savez(stream, allow_pickle=False, **_columns(found))
        with suppress(StorageError):
            atomic_write(folder / KEY / f"{uuid.uuid4().hex}.npz", stream.getvalue())


def _columns(found: Mapping[str, Facts | str]) -> dict[str, NDArray[Any]]:
    good = {digest: facts for digest, facts in found.items() if isinstance(facts, Facts)}
    bad = {digest: reason for digest, reason in found.items() if isinstance(reason, str)}
    small = [facts.small for facts in good.values() if tells(facts.width, facts.height)]
    numbers = [(one.width, one.height, one.turned, one.frames) for one in good.values()]
    return {
        "digests": np.array([digest.encode() for digest in good], "S64"),
        "formats": np.array([facts.format for facts in good.values()], np.str_),
        "numbers": np.array(numbers, np.int64).reshape(-1, 4),
        "spreads": np.array([facts.spread for facts in good.values()], np.float64),
        "hashes": np.array([(facts.hash, facts.mirrored) for facts in good.values()], np.uint64).reshape(-1, 2),
        "colours": np.array([facts.colour for facts in good.values()], np.float32).reshape(-1, 3),
        "small": np.array(small, np.uint8).reshape(-1, *NOTHING.shape),
        "unreadable": np.array([digest.encode() for digest in bad], "S64"),
        "reasons": np.array([*bad.values()], np.str_),
    }


def _read(shard: Path, wanted: set[bytes]) -> dict[str, Facts | str]:
    """Take from a shard what is wanted. Raises one of UNREADABLE when it is damaged."""
    # Opened here, since NumPy forgets to close a file that turns out to be no whole `.npz`.
    with shard.open("rb") as stream, np.load(stream, allow_pickle=False) as columns:
        digests: list[bytes] = columns["digests"].tolist()
        unreadable: list[bytes] = columns["unreadable"].tolist()
        reasons = dict(zip(unreadable, columns["reasons"].tolist(), strict=True))
        found: dict[str, Facts | str] = {one.decode(): reasons[one] for one in reasons.keys() & wanted}
        if not wanted.isdisjoint(digests):
            rows = zip(digests, _facts(columns), strict=True)
            found |= {digest.decode(): facts for digest, facts in rows if digest in wanted}
        return found


def _facts(columns: Mapping[str, NDArray[Any]]) -> list[Facts]:
    names = ("formats", "numbers", "spreads", "hashes", "colours")
    rows = zip(*(columns[name].tolist() for name in names), strict=True)
    thumbnails = columns["small"].reshape(-1, *NOTHING.shape)
    result = []
    taken = 0
    for format_, (width, height, turned, frames), spread, (one, mirrored), (red, green, blue) in rows:
        small = NOTHING
        if tells(width, height):
            (small,), taken = thumbnails[taken : taken + 1], taken + 1  # a ValueError where there is none
        known = (format_, width, height, bool(turned), frames, spread)
        result.append(Facts(*known, one, mirrored, small, (red, green, blue)))
    return result
