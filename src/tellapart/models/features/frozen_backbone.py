"""Frozen backbones: their features depend on the image alone, so they are computed once and cached.

The cache key is content hash, preprocessing, weights and precision. A killed run loses at most one shard of work.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import keras
import numpy as np

from tellapart.cache import note_use
from tellapart.data.dataset import Skipped
from tellapart.data.images import Images
from tellapart.data.pipeline import BATCH, ReadableRows, preprocessed, run_engine
from tellapart.data.preprocessing import DECODER, Preprocessing
from tellapart.engine import Engine, Graph, Precision, read_graph, resolve_precision, write_graph
from tellapart.errors import ImageError
from tellapart.files import cache_folder, cached_folder
from tellapart.jobs import Jobs
from tellapart.models.features.feature_cache import FeatureCache, StoredRows, Values
from tellapart.models.features.feature_job import JOB_IMAGES, FeatureJob
from tellapart.models.freezing import leaf_layers
from tellapart.models.graphs.convert import to_graph
from tellapart.progress import notify, progress

SHARD_IMAGES = 1024  # images: 8 MB of Xception's features, seconds of work
SHARD_BYTES = 64_000_000  # upper limit, for feature maps


@dataclass(frozen=True)
class FrozenBackbone:
    """A backbone with constant weights: uint8 images to features, a vector or feature maps."""

    name: str
    network: keras.Model
    preprocessing: Preprocessing
    precision: Precision = "auto"

    @cached_property
    def graph(self) -> Graph:
        """The OpenVINO graph: converted once, then read from the cache."""
        return read_graph(self.graph_file)

    @property
    def graph_file(self) -> Path:
        """The graph's file in the cache, with its weights beside it."""
        folder = cache_folder() / "graphs" / self.key
        if not folder.exists():
            graph = to_graph(self.network)
            with cached_folder(folder) as unfinished:
                write_graph(graph, unfinished / "model.xml")
        note_use(folder, backbone=self.name)
        return folder / "model.xml"

    @cached_property
    def engine(self) -> Engine:
        """The graph compiled for this machine, on first use."""
        return Engine(self.graph, batch=BATCH, precision=self.precision)

    @cached_property
    def rate(self) -> float:
        """Images per second on this machine, measured once on noise."""
        return self.engine.rate()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image's features: (width,), or (height, width, channels)."""
        return tuple(int(side) for side in self.network.output_shape[1:])

    @property
    def width(self) -> int:
        """The number of features of an image."""
        return math.prod(self.shape)

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that determines the features of an image."""
        settings = {
            "base": self.name,
            "end": [len(list(leaf_layers(self.network))), self.shape],
            "decoder": DECODER,
            "preprocessing": self.preprocessing.as_json(),
            "precision": resolve_precision(self.precision),
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for array in self.network.get_weights():
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class StoredFeatures:
    """Cached features: their rows, the indices of their images, and the unreadable images."""

    rows: StoredRows
    kept: tuple[int, ...]
    skipped: tuple[Skipped, ...]


def compute_features(
    backbone: FrozenBackbone, images: Images, *, cache: Path, label: str, dataset: str | None = None
) -> ReadableRows:
    """Compute the features of images, float32 (n, ...), in memory: see `stored_features`."""
    stored = stored_features(backbone, images, cache=cache, label=label, dataset=dataset)
    return ReadableRows(stored.rows[:], stored.kept, stored.skipped)


def stored_features(
    backbone: FrozenBackbone,
    images: Images,
    *,
    cache: Path,
    label: str,
    jobs: Jobs | None = None,
    dataset: str | None = None,
) -> StoredFeatures:
    """Look up the features of images in the cache; compute and store those that are missing.

    With `jobs`, workers compute them; they read the graph, and images that are files, themselves. `dataset` is the
    name of the images' data set, for the list of what the cache holds.
    """
    store = FeatureCache(cache / "features" / backbone.key)
    digests = images.digests
    missing = [i for digest, i in {d: i for i, d in enumerate(digests)}.items() if digest not in store.rows]
    fill = _fill if jobs is None else partial(_fill_by_jobs, jobs)
    reasons = fill(store, backbone, images, missing, label) if missing else {}
    note_use(cache / "features" / backbone.key, dataset=dataset, backbone=backbone.name)
    kept = tuple(i for i, digest in enumerate(digests) if digest in store.rows)
    skipped = tuple(Skipped(images.name(i), reasons[d]) for i, d in enumerate(digests) if d in reasons)
    return StoredFeatures(store.take([digests[i] for i in kept], backbone.shape), kept, skipped)


def _fill(
    store: FeatureCache, backbone: FrozenBackbone, images: Images, missing: Sequence[int], label: str
) -> dict[str, str]:
    """Run the backbone over the missing images. Returns the hashes of unreadable images with the reason."""
    notify(
        f"{label}: {len(missing):,} images to run once through the frozen {backbone.name} "
        f"({backbone.engine.precision}), about {len(missing) / backbone.rate:,.0f} s at {backbone.rate:,.0f} a second"
        f"{_disk_space(backbone, len(missing))}"
    )
    reasons: dict[str, str] = {}
    digests: list[str] = []
    values: list[Values] = []
    shard = _shard(backbone)
    stream = run_engine(backbone.engine, preprocessed(images, backbone.preprocessing, missing))
    with progress(label, len(missing), "images") as advance:
        for index, result in zip(missing, stream, strict=True):
            advance(1)
            if isinstance(result, ImageError):
                reasons[images.digests[index]] = str(result)
                continue
            digests.append(images.digests[index])
            values.append(result)
            if len(digests) == shard:
                store.add(digests, np.array(values))
                digests, values = [], []
    if digests:
        store.add(digests, np.array(values))
    return reasons


def _fill_by_jobs(
    jobs: Jobs, store: FeatureCache, backbone: FrozenBackbone, images: Images, missing: Sequence[int], label: str
) -> dict[str, str]:
    """As `_fill`, with a job for each shard."""
    notify(
        f"{label}: {len(missing):,} images to run once through the frozen {backbone.name}"
        f"{_disk_space(backbone, len(missing))}"
    )
    size, reasons = min(JOB_IMAGES, _shard(backbone)), dict[str, str]()
    shards = (images.take(missing[start : start + size]) for start in range(0, len(missing), size))
    job = FeatureJob(backbone.graph_file.resolve(), backbone.preprocessing, resolve_precision(backbone.precision))
    results = jobs.run(job, shards)  # before the progress bar, as starting workers may print messages
    with progress(label, len(missing), "images") as advance:
        for shard in results:
            advance(len(shard.digests) + len(shard.reasons))
            reasons.update(shard.reasons)
            if shard.digests:
                store.add(shard.digests, shard.values)
    return reasons


def _shard(backbone: FrozenBackbone) -> int:
    return max(1, min(SHARD_IMAGES, SHARD_BYTES // (4 * backbone.width)))


def _disk_space(backbone: FrozenBackbone, count: int) -> str:
    """The disk space that feature maps will take, as a message; vectors take hardly any."""
    return "" if len(backbone.shape) == 1 else f", {count * backbone.width * 2 / 1e6:,.0f} MB in the cache"
