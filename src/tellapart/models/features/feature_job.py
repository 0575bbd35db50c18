"""Jobs that compute features from a backbone's graph, without Keras and without the feature cache."""

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

JOB_IMAGES = 256  # some seconds of a large backbone, which are lost with a killed worker


@dataclass(frozen=True)
class FeatureShard:
    """Features, float32 (n, ...), of images by hash, and the reasons why other images could not be read."""

    digests: list[str]
    values: Values
    reasons: dict[str, str]


@dataclass(frozen=True)
class FeatureJob:
    """The job: a backbone's graph file, which the worker reads; `precision` is not "auto"."""

    graph: Path
    preprocessing: Preprocessing
    precision: Precision

    def __call__(self) -> Callable[[Images], FeatureShard]:
        """Compile the graph, once in each worker. Raises WeightsError where it cannot be read."""
        try:
            graph = read_graph(self.graph)
        except RuntimeError as error:
            raise WeightsError(
                f"a worker's machine cannot read {self.graph}: set TELLAPART_CACHE to a folder that all machines see"
            ) from error
        engine = Engine(graph, batch=BATCH, precision=self.precision)
        return lambda images: compute_shard(engine, self.preprocessing, images)


def compute_shard(engine: Engine, preprocessing: Preprocessing, images: Images) -> FeatureShard:
    """Compute the features of images."""
    digests, rows, reasons = list[str](), list[Values](), dict[str, str]()
    results = run_engine(engine, preprocessed(images, preprocessing, range(len(images))))
    for digest, result in zip(images.digests, results, strict=True):
        if isinstance(result, ImageError):
            reasons[digest] = str(result)
        else:
            digests.append(digest)
            rows.append(result)
    return FeatureShard(digests, np.array(rows), reasons)
