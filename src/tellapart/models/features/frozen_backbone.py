"""A frozen base is a function of the image: it is run once, and its features are kept.

They are kept by content hash, preprocessing, weights and precision. A killed run loses at most one shard of work.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path

import keras
import numpy as np

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
SHARD_BYTES = 64_000_000  # at most, where the features are whole maps


@dataclass(frozen=True)
class FrozenBackbone:
    """A base whose weights do not change: uint8 images to features, a vector or feature maps."""

    name: str
    network: keras.Model
    preprocessing: Preprocessing
    precision: Precision = "auto"

    @cached_property
    def graph(self) -> Graph:
        """The base as an OpenVINO graph: converted once, then read from the cache."""
        return read_graph(self.graph_file)

    @property
    def graph_file(self) -> Path:
        """Where the cache has the graph, with its weights beside it."""
        folder = cache_folder() / "graphs" / self.key
        if not folder.exists():
            graph = to_graph(self.network)
            with cached_folder(folder) as unfinished:
                write_graph(graph, unfinished / "model.xml")
        return folder / "model.xml"

    @cached_property
    def engine(self) -> Engine:
        """The base compiled for this machine, when first needed."""
        return Engine(self.graph, batch=BATCH, precision=self.precision)

    @cached_property
    def rate(self) -> float:
        """Images a second on this machine, measured once on noise."""
        return self.engine.rate()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the features of one image: (width,), or (height, width, channels)."""
        return tuple(int(side) for side in self.network.output_shape[1:])

    @property
    def width(self) -> int:
        """How many features an image has."""
        return math.prod(self.shape)

    @cached_property
    def key(self) -> str:
        """SHA-256 over everything that decides the features of an image."""
        facts = {
            "base": self.name,
            "end": [len(list(leaf_layers(self.network))), self.shape],
            "decoder": DECODER,
            "preprocessing": asdict(self.preprocessing),
            "precision": resolve_precision(self.precision),
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        for array in self.network.get_weights():
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class StoredFeatures:
    """Features in the cache: rows, of which of the images asked for, and the images without any."""

    rows: StoredRows
    kept: tuple[int, ...]
    skipped: tuple[Skipped, ...]


def compute_features(base: FrozenBackbone, images: Images, *, cache: Path, label: str) -> ReadableRows:
    """The features of some images in memory, float32 (n, ...): see `stored_features`."""
    found = stored_features(base, images, cache=cache, label=label)
    return ReadableRows(found.rows[:], found.kept, found.skipped)


def stored_features(
    base: FrozenBackbone, images: Images, *, cache: Path, label: str, jobs: Jobs | None = None
) -> StoredFeatures:
    """The features of some images: found in the cache where they are, computed and kept where not.

    With `jobs` others compute them; the graph, and the images where they are files, are read where they work.
    """
    store = FeatureCache(cache / "features" / base.key)
    wanted = images.digests
    missing = [i for digest, i in {d: i for i, d in enumerate(wanted)}.items() if digest not in store.rows]
    fill = _fill if jobs is None else partial(_fill_by, jobs)
    reasons = fill(store, base, images, missing, label) if missing else {}
    kept = tuple(i for i, digest in enumerate(wanted) if digest in store.rows)
    skipped = tuple(Skipped(images.name(i), reasons[d]) for i, d in enumerate(wanted) if d in reasons)
    return StoredFeatures(store.take([wanted[i] for i in kept], base.shape), kept, skipped)


def _fill(
    store: FeatureCache, base: FrozenBackbone, images: Images, missing: Sequence[int], label: str
) -> dict[str, str]:
    """Run the base over what the cache lacks. Returns the hashes of unreadable images with the reason."""
    notify(
        f"{label}: {len(missing):,} images to run once through the frozen {base.name} ({base.engine.precision}), "
        f"about {len(missing) / base.rate:,.0f} s at {base.rate:,.0f} a second{_room(base, len(missing))}"
    )
    reasons: dict[str, str] = {}
    digests: list[str] = []
    values: list[Values] = []
    shard = _shard(base)
    stream = run_engine(base.engine, preprocessed(images, base.preprocessing, missing))
    with progress(label, len(missing), "images") as advance:
        for index, answer in zip(missing, stream, strict=True):
            advance(1)
            if isinstance(answer, ImageError):
                reasons[images.digests[index]] = str(answer)
                continue
            digests.append(images.digests[index])
            values.append(answer)
            if len(digests) == shard:
                store.add(digests, np.array(values))
                digests, values = [], []
    if digests:
        store.add(digests, np.array(values))
    return reasons


def _fill_by(
    jobs: Jobs, store: FeatureCache, base: FrozenBackbone, images: Images, missing: Sequence[int], label: str
) -> dict[str, str]:
    """As `_fill`, a shard being a job."""
    notify(f"{label}: {len(missing):,} images to run once through the frozen {base.name}{_room(base, len(missing))}")
    size, reasons = min(JOB_IMAGES, _shard(base)), dict[str, str]()
    shards = (images.take(missing[start : start + size]) for start in range(0, len(missing), size))
    seeing = FeatureJob(base.graph_file.resolve(), base.preprocessing, resolve_precision(base.precision))
    seen = jobs.run(seeing, shards)  # who is to do it may have something to say first
    with progress(label, len(missing), "images") as advance:
        for shard in seen:
            advance(len(shard.digests) + len(shard.reasons))
            reasons.update(shard.reasons)
            if shard.digests:
                store.add(shard.digests, shard.values)
    return reasons


def _shard(base: FrozenBackbone) -> int:
    return max(1, min(SHARD_IMAGES, SHARD_BYTES // (4 * base.width)))


def _room(base: FrozenBackbone, count: int) -> str:
    """What feature maps will take of the disk; vectors take next to nothing."""
    return "" if len(base.shape) == 1 else f", {count * base.width * 2 / 1e6:,.0f} MB in the cache"
