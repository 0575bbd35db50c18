"""Chunks of a long list of images; each is predicted as one job."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from tellapart.bundles.batch.part_store import PartStore
from tellapart.bundles.bundle import Bundle
from tellapart.bundles.manifest import MANIFEST
from tellapart.bundles.predictor import Predictor
from tellapart.data.pipeline import BATCH
from tellapart.engine import Precision, resolve_precision
from tellapart.errors import BundleError
from tellapart.files import sha256

CHUNK_IMAGES = 256  # of one job: some seconds of a large network, which are lost if a worker is killed


@dataclass(frozen=True)
class Chunk:
    """Images `first` to `end` (exclusive) of a list. `paths` starts with `skip` images before `first`.

    Those are predicted too, and dropped: fewer images than a batch would run one by one, and the last digits of their
    probabilities might differ from those of a full batch.
    """

    first: int
    end: int
    skip: int
    paths: Iterable[str]

    def load_paths(self) -> "Chunk":
        """Return a copy with its paths in memory, which can be pickled."""
        return replace(self, paths=tuple(self.paths))


@dataclass(frozen=True)
class ChunkResult:
    """Predictions from image `first` on, a line of JSON each."""

    first: int
    lines: list[str]


@dataclass(frozen=True)
class ChunkPrediction:
    """Job that predicts chunks: a bundle, which each worker opens, and the number of classes to return.

    `identity` is the SHA-256 of its manifest. `precision` is resolved, so that different machines predict the same.
    """

    folder: Path
    identity: str
    precision: Precision
    top: int

    @staticmethod
    def of(bundle: Bundle, identity: str, top: int) -> "ChunkPrediction":
        """Create the job with the precision that this machine would choose."""
        return ChunkPrediction(bundle.folder.resolve(), identity, resolve_precision(bundle.precision), top)

    def predictor(self) -> Predictor:
        """Open the bundle on a worker. Raises BundleError."""
        bundle = Bundle.of(self.folder)
        if sha256(bundle.folder / MANIFEST) != self.identity:
            raise BundleError(
                f"{self.folder} is a different bundle on a worker's machine: use a folder that all machines share"
            )
        return Predictor(bundle, precision=self.precision)

    def __call__(self) -> Callable[[Chunk], ChunkResult]:
        """Open the bundle, once per worker. Raises BundleError."""
        predictor = self.predictor()
        return lambda chunk: ChunkResult(chunk.first, list(predict_lines(predictor, chunk, self.top)))


def missing_chunks(store: PartStore, size: int) -> Iterator[Chunk]:
    """Yield the missing images in chunks of up to `size`, with paths that are read from the list lazily."""
    count = store.settings.count
    for start, stop in store.missing():
        for first in range(start, stop, size):
            end = min(first + size, stop)
            lead = max(0, min(first, count - BATCH))
            yield Chunk(first, end, first - lead, store.images(lead, min(count, max(end, lead + BATCH))))


def predict_lines(predictor: Predictor, chunk: Chunk, top: int) -> Iterator[str]:
    """Predict the images of a chunk in order, a line of JSON each."""
    predictions = predictor.predict(chunk.paths, top=top)
    for prediction in islice(predictions, chunk.skip, chunk.skip + chunk.end - chunk.first):
        yield json.dumps(prediction.as_json())
