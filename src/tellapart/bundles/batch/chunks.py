"""Images of a long list that are answered together, by whoever has a predictor."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from tellapart.bundles.batch.part_store import PartStore
from tellapart.bundles.bundle import MANIFEST, Bundle
from tellapart.bundles.predictor import Predictor
from tellapart.data.pipeline import BATCH
from tellapart.engine import Precision, resolve_precision
from tellapart.errors import BundleError
from tellapart.files import sha256

SIZE = 256  # images of one job: some seconds of a large network, which a killed worker loses


@dataclass(frozen=True)
class Chunk:
    """The images from number `first` to before `end` of a list: their paths, after those of `skip` others.

    The others are answered too, and left out: fewer images than a batch would be run one by one, and their last
    digits might differ from those that the same images get among many.
    """

    first: int
    end: int
    skip: int
    paths: Iterable[str]

    def held(self) -> "Chunk":
        """The same with its paths in memory, so that it can travel."""
        return replace(self, paths=tuple(self.paths))


@dataclass(frozen=True)
class ChunkResult:
    """The answers to the images from number `first` on, a line of JSON each."""

    first: int
    lines: list[str]


@dataclass(frozen=True)
class ChunkPrediction:
    """The job: a bundle, which a worker reads where it finds it, and how many classes it names.

    `identity` is the SHA-256 of its manifest. `precision` is settled, so that unlike machines answer alike.
    """

    folder: Path
    identity: str
    precision: Precision
    top: int

    @staticmethod
    def by(bundle: Bundle, identity: str, top: int) -> "ChunkPrediction":
        """With the precision that this machine would choose."""
        return ChunkPrediction(bundle.folder.resolve(), identity, resolve_precision(bundle.precision), top)

    def predictor(self) -> Predictor:
        """Load it where a worker is. Raises BundleError."""
        bundle = Bundle.of(self.folder)
        if sha256(bundle.folder / MANIFEST) != self.identity:
            raise BundleError(f"{self.folder} is another bundle on a worker's machine: let all see the same folder")
        return Predictor(bundle, precision=self.precision)

    def __call__(self) -> Callable[[Chunk], ChunkResult]:
        """Load it, once for each worker. Raises BundleError."""
        predictor = self.predictor()
        return lambda stretch: ChunkResult(stretch.first, list(lines(predictor, stretch, self.top)))


def chunks(parts: PartStore, size: int) -> Iterator[Chunk]:
    """What is missing, `size` images at most at a time; their paths are read from the list as they are asked for."""
    count = parts.asked.count
    for gap, stop in parts.missing():
        for first in range(gap, stop, size):
            end = min(first + size, stop)
            lead = max(0, min(first, count - BATCH))
            yield Chunk(first, end, first - lead, parts.images(lead, min(count, max(end, lead + BATCH))))


def lines(predictor: Predictor, stretch: Chunk, top: int) -> Iterator[str]:
    """The answers to a stretch, in order, a line of JSON each."""
    answers = predictor.predict(stretch.paths, top=top)
    for answer in islice(answers, stretch.skip, stretch.skip + stretch.end - stretch.first):
        yield json.dumps(answer.as_json())
