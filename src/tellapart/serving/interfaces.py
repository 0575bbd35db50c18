"""What the service needs from a classifier: the one seam between HTTP and predicting."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.pipeline import Runner
from tellapart.data.preprocessing import Preprocessing


class Facts(Protocol):
    """What is told about a bundle: its data set's name, its classes, the geometry it expects, its metrics."""

    @property
    def name(self) -> str:
        """The name of the data set it was trained on."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the graph's outputs."""

    @property
    def preprocessing(self) -> Preprocessing:
        """The size and the channels of the images that it takes."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics by split, in the shape of `metrics.json`."""

    @property
    def hashes(self) -> Mapping[str, str]:
        """The SHA-256 of each of its files, by name."""


class Told(Protocol):
    """One image's answer."""

    def as_json(self) -> dict[str, Any]:
        """Give `{"path", "label", "probability", "unknown", "top": [{"label", "probability"}...]}`."""


class Answering(Protocol):
    """Answers images: an engine for rows, and what a row says."""

    @property
    def bundle(self) -> Facts:
        """The facts about the classifier."""

    def runner_for_many(self) -> Runner:
        """The classifier compiled for many callers at once. Safe to run from several threads."""

    def told(self, path: str, answer: NDArray[np.float32], top: int) -> Told:
        """What a row of the runner says of the image of that name, with its `top` classes, at least one."""
