"""Features on disk, by content hash.

The cache grows by shards, each a `.npy` of vectors and a `.json` of hashes that is written last: a shard
counts when it is whole, and two runs may fill the same cache at once.
"""

import json
import uuid
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.files import atomic_write

Vectors = NDArray[np.float32]


class FeatureCache:
    """The features of one frozen base. Lives while they are read and added to; knows all hashes it has."""

    def __init__(self, folder: Path) -> None:
        self.rows: dict[str, tuple[Path, int]] = {}
        self._folder = folder
        for index in sorted(folder.glob("*.json")):
            self._enter(json.loads(index.read_text()), index.with_suffix(".npy"))

    def add(self, digests: list[str], vectors: Vectors) -> None:
        """Keep the vectors, float32 (len(digests), width), as one more shard."""
        path = self._folder / f"{uuid.uuid4().hex}.npy"
        content = BytesIO()
        np.save(content, vectors, allow_pickle=False)
        atomic_write(path, content.getvalue())
        atomic_write(path.with_suffix(".json"), json.dumps(digests))
        self._enter(digests, path)

    def take(self, digests: list[str], width: int) -> Vectors:
        """The vectors of some hashes, float32 (n, width), in the order asked for."""
        result = np.empty((len(digests), width), np.float32)
        by_shard: dict[Path, list[tuple[int, int]]] = {}
        for place, digest in enumerate(digests):
            path, row = self.rows[digest]
            by_shard.setdefault(path, []).append((place, row))
        for path, pairs in by_shard.items():
            places, rows = zip(*pairs, strict=True)
            result[list(places)] = np.load(path, mmap_mode="r", allow_pickle=False)[list(rows)]
        return result

    def _enter(self, digests: list[str], path: Path) -> None:
        self.rows.update({digest: (path, row) for row, digest in enumerate(digests)})
