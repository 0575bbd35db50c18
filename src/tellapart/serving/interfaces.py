"""Protocols: what the service needs from a classifier, the one seam between HTTP and prediction."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.pipeline import Runner
from tellapart.data.preprocessing import Preprocessing


class BundleLike(Protocol):
    """Description of a classifier: its data set's name, classes, input geometry and metrics."""

    @property
    def id(self) -> str:
        """The first digits of its hash, which every response states."""

    @property
    def name(self) -> str:
        """The name of the data set it was trained on."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the graph's outputs."""

    @property
    def preprocessing(self) -> Preprocessing:
        """The size and channels of its input images."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics by split, in the shape of `metrics.json`."""

    @property
    def hashes(self) -> Mapping[str, str]:
        """The SHA-256 of each of its files, by name."""


class PredictionLike(Protocol):
    """The prediction for one image."""

    def as_json(self, *, logits: bool = False) -> dict[str, Any]:
        """Return `{"path", "label", "probability", "unknown", "top": [{"label", "probability"}...]}`.

        With `logits` the entries of `top` have a `logit`, too.
        """


class PredictorLike(Protocol):
    """A classifier: a runner from images to vectors, and the interpretation of a vector."""

    @property
    def bundle(self) -> BundleLike:
        """The description of the classifier."""

    def concurrent_runner(self) -> Runner:
        """Compile the classifier for many concurrent callers. The runner may be used from several threads."""

    def to_prediction(self, path: str, vector: NDArray[np.float32], top: int) -> PredictionLike:
        """Turn the runner's vector for the image at `path` into a prediction with `top` classes, at least one."""
