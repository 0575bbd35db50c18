"""Compilation of a bundle to a runner from images to probabilities."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import Bundle
from tellapart.data.pipeline import Runner
from tellapart.engine import Engine, Precision
from tellapart.models.classical.estimators import GraphEstimator
from tellapart.models.graphs.surgery import first_output

PIXEL_BATCH = 64  # for an estimator on pixels, which takes the same time for 1 image and for many


@dataclass(frozen=True)
class TwoStage:
    """Two runners in sequence, images to features and features to probabilities, with the same batch size."""

    backbone: Engine
    head: Runner

    @property
    def batch(self) -> int:
        """The batch size."""
        return self.backbone.batch

    @property
    def precision(self) -> str:
        """The precision of the backbone; the head runs in float32."""
        return self.backbone.precision

    def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
        """Yield the probabilities of each batch of images, float32 (len(batch), classes)."""
        return self.head.run(self.backbone.run(batches))


def compile_bundle(
    bundle: Bundle,
    *,
    batch: int,
    precision: Precision | None = None,
    ood_score: bool = False,
    concurrent: bool = False,
) -> Runner:
    """Compile a bundle for batches of `batch` images; 1 gives a single caller the lowest latency.

    `concurrent` trades some latency for the throughput of several callers. The runner's rows are probabilities; with
    `ood_score`, they are followed by the OOD score if the bundle has one. `precision` defaults to the bundle's own.
    Raises BundleError.
    """
    if (batch > 1 or concurrent) and bundle.manifest.recipe.get("features") == "pixels":
        batch = max(batch, PIXEL_BATCH)
    graph, estimator = bundle.graph, bundle.estimator
    if not ood_score:
        graph = first_output(graph)
        if isinstance(estimator, GraphEstimator):
            estimator = GraphEstimator(first_output(estimator.graph))
    engine = Engine(graph, batch=batch, precision=precision or bundle.precision, streams=batch > 1 or concurrent)
    return engine if estimator is None else TwoStage(engine, estimator.runner(batch))
