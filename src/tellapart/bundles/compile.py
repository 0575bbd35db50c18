"""A bundle ready to answer batches of images, whatever it consists of."""

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

MANY = 64  # images at once for an estimator on pixels: its work is the same for 1 and for many


@dataclass(frozen=True)
class TwoStage:
    """Images to features by one runner, features to probabilities by another, which takes batches as large."""

    base: Engine
    head: Runner

    @property
    def batch(self) -> int:
        """Images at once."""
        return self.base.batch

    @property
    def precision(self) -> str:
        """Of the base; what comes after it is float32."""
        return self.base.precision

    def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
        """For each batch of images yield its probabilities, float32 (len(batch), classes)."""
        return self.head.run(self.base.run(batches))


def compile_bundle(
    bundle: Bundle,
    *,
    batch: int,
    precision: Precision | None = None,
    strangeness: bool = False,
    callers: bool = False,
) -> Runner:
    """Make a bundle ready for images in batches of `batch`; 1 is for a lone caller, whom waiting would cost most.

    With `callers` there are several of them, and together they get more answers while each waits a little longer.
    Its rows are the probabilities, with `strangeness` followed by how strange the image is, where the bundle knows.
    `precision` is the bundle's own unless stated. Raises BundleError.
    """
    if (batch > 1 or callers) and bundle.facts.recipe.get("features") == "pixels":
        batch = max(batch, MANY)
    graph, estimator = bundle.graph, bundle.estimator
    if not strangeness:
        graph = first_output(graph)
        estimator = (
            GraphEstimator(first_output(estimator.graph)) if isinstance(estimator, GraphEstimator) else estimator
        )
    engine = Engine(graph, batch=batch, precision=precision or bundle.precision, streams=batch > 1 or callers)
    return engine if estimator is None else TwoStage(engine, estimator.runner(batch))
