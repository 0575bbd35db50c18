"""What the service needs from a classifier: the one seam between HTTP and predicting."""

from collections.abc import Mapping
from typing import Any, Protocol

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
        """The size and the channels of the pictures that it takes."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics by split, in the shape of `metrics.json`."""


class Told(Protocol):
    """One picture's answer."""

    def as_json(self) -> dict[str, Any]:
        """Give `{"path", "label", "probability", "top": [{"label", "probability"}...]}`."""


class Answering(Protocol):
    """Answers pictures one at a time, from any thread."""

    @property
    def bundle(self) -> Facts:
        """The facts about the classifier."""

    def predict_one(self, content: bytes, *, path: str, top: int = 3) -> Told:
        """Classify the bytes of one picture file. Raises PictureError when they cannot be decoded."""
