"""Cache of features on disk, by content hash.

The cache grows by shards, each a `.npy` of features and a `.json` of hashes that is written last: only complete
shards are read, and two runs may fill the same cache at the same time.
"""

import json
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.files import atomic_write
from tellapart.read_files import MAX_LIST_BYTES, ContentError, map_array, read_json

Values = NDArray[np.float32]
RowPosition = tuple[Path, int]
"""A shard, and a row of it."""
FLOAT16_LIMIT = 60_000.0  # float16 ends at 65,504


@dataclass(frozen=True)
class StoredRows:
    """Features that are read from disk on access: float32 (n, ...) as rows[indices]."""

    positions: tuple[RowPosition, ...]
    shape: tuple[int, ...]
    """The shape of one image's features."""

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> Values:
        indices = np.arange(len(self))[rows]
        result = np.empty((len(indices), *self.shape), np.float32)
        by_shard: dict[int, list[tuple[int, int]]] = {}
        for target, index in enumerate(indices):
            by_shard.setdefault(self._shards[index], []).append((target, self._rows[index]))
        for shard, pairs in by_shard.items():
            targets, shard_rows = zip(*pairs, strict=True)
            result[list(targets)] = self._maps[shard][list(shard_rows)]
        return result

    @cached_property
    def _paths(self) -> list[Path]:
        return sorted({path for path, _ in self.positions})

    @cached_property
    def _maps(self) -> list[NDArray[Any]]:
        return [map_array(path) for path in self._paths]

    @cached_property
    def _shards(self) -> list[int]:
        numbers = {path: number for number, path in enumerate(self._paths)}
        return [numbers[path] for path, _ in self.positions]

    @cached_property
    def _rows(self) -> list[int]:
        return [row for _, row in self.positions]


class FeatureCache:
    """The cached features of one frozen backbone, with an index of all their hashes in memory."""

    def __init__(self, folder: Path) -> None:
        self.rows: dict[str, RowPosition] = {}
        self._folder = folder
        for index in sorted(folder.glob("*.json")):
            with suppress(OSError, ContentError):  # its features are computed again
                self._enter(read_json(index, list[str], MAX_LIST_BYTES), index.with_suffix(".npy"))

    def add(self, digests: list[str], values: Values) -> None:
        """Store features, float32 (len(digests), ...), as a new shard."""
        path = self._folder / f"{uuid.uuid4().hex}.npy"
        content = BytesIO()
        np.save(content, _compact(values), allow_pickle=False)
        atomic_write(path, content.getvalue())
        atomic_write(path.with_suffix(".json"), json.dumps(digests))
        self._enter(digests, path)

    def take(self, digests: list[str], shape: tuple[int, ...]) -> StoredRows:
        """Look up the features of hashes, each of that shape, in the given order."""
        return StoredRows(tuple(self.rows[digest] for digest in digests), shape)

    def knows(self, digests: Iterable[str]) -> bool:
        """True if the features of all these hashes are cached."""
        return self.rows.keys() >= {*digests}

    def _enter(self, digests: list[str], path: Path) -> None:
        self.rows.update({digest: (path, row) for row, digest in enumerate(digests)})


def _compact(values: Values) -> NDArray[Any]:
    """Feature maps as float16 where in range: half the disk space, and finer than the bfloat16 they may come from."""
    if values.ndim > 2 and np.abs(values).max(initial=0) <= FLOAT16_LIMIT:
        return values.astype(np.float16)
    return values
