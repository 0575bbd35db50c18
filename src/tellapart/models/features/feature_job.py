"""A frozen base at work on images, by whoever has its graph: neither Keras nor the cache of features is needed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.data.images import Images
from tellapart.data.pipeline import BATCH, preprocessed, run_engine
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Engine, Precision, read_graph
from tellapart.errors import ImageError, WeightsError
from tellapart.models.features.feature_cache import Values

JOB_IMAGES = 256  # images of one job: some seconds of a large base, which a killed worker loses


@dataclass(frozen=True)
class FeatureShard:
    """What a base sees in some images: their hashes, float32 (n, ...), and why the other hashes have nothing."""

    digests: list[str]
    values: Values
    reasons: dict[str, str]


@dataclass(frozen=True)
class FeatureJob:
    """The job: a base's graph, which a worker reads where it finds it; `precision` is settled."""

    graph: Path
    preprocessing: Preprocessing
    precision: Precision

    def __call__(self) -> Callable[[Images], FeatureShard]:
        """Compile it, once for each worker. Raises WeightsError where it is not to be read."""
        try:
            graph = read_graph(self.graph)
        except RuntimeError as error:
            raise WeightsError(
                f"a worker's machine cannot read {self.graph}: set TELLAPART_CACHE to a folder that all machines see"
            ) from error
        engine = Engine(graph, batch=BATCH, precision=self.precision)
        return lambda images: compute_shard(engine, self.preprocessing, images)


def compute_shard(engine: Engine, preprocessing: Preprocessing, images: Images) -> FeatureShard:
    """Run a base over images."""
    digests, rows, reasons = list[str](), list[Values](), dict[str, str]()
    answers = run_engine(engine, preprocessed(images, preprocessing, range(len(images))))
    for digest, answer in zip(images.digests, answers, strict=True):
        if isinstance(answer, ImageError):
            reasons[digest] = str(answer)
        else:
            digests.append(digest)
            rows.append(answer)
    return FeatureShard(digests, np.array(rows), reasons)
