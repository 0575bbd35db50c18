"""From an image's bytes to a Prediction. Imports neither TensorFlow nor Keras, and scikit-learn for a forest only."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, tee
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.data.image import ImageArray, decode
from tellapart.data.image_file import read_image
from tellapart.data.pipeline import BATCH, Runner, prefetch_map, run_engine
from tellapart.engine import Precision
from tellapart.errors import ImageError
from tellapart.late_binding import late_bound

Row = NDArray[np.float32]


@dataclass(frozen=True)
class Choice:
    """A class and its probability in [0, 1]."""

    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one image: its likeliest classes, best first."""

    path: str
    top: tuple[Choice, ...]
    unknown: bool = False
    """Whether the bundle's reject option says "I don't know"; the classes are named all the same."""

    @property
    def label(self) -> str:
        """The likeliest class."""
        return self.top[0].label

    @property
    def probability(self) -> float:
        """The probability of the likeliest class, in [0, 1]."""
        return self.top[0].probability

    def as_json(self) -> dict[str, Any]:
        """The line that `predict --json` prints and HTTP answers."""
        top = [{"label": choice.label, "probability": choice.probability} for choice in self.top]
        answer = {"path": self.path, "label": self.label, "probability": self.probability}
        return {**answer, "unknown": self.unknown, "top": top}

    def _repr_html_(self) -> str:
        """The image, where its file is still there, and a bar for each class, for a notebook."""
        return str(late_bound("prediction_html")(self))


@dataclass(frozen=True)
class Unreadable:
    """An image that cannot be read, and why."""

    path: str
    error: str

    def as_json(self) -> dict[str, Any]:
        """The line that `predict --json` prints for it."""
        return {"path": self.path, "error": self.error}

    def _repr_html_(self) -> str:
        """The path and the reason, for a notebook."""
        return str(late_bound("unreadable_html")(self))


class Predictor:
    """A verified bundle, compiled and ready. Lives as long as images come; safe to call from several threads."""

    def __init__(self, bundle: Bundle | str | Path, *, precision: Precision | None = None) -> None:
        """Verify and compile. `precision` is the bundle's own unless stated. Raises BundleError."""
        self.bundle = Bundle.of(bundle)
        self.bundle.verify()
        self._precision = precision
        self._compiling = threading.Lock()
        self._engines: dict[int, Runner] = {}

    def predict(self, images: Iterable[str | Path], *, top: int = 3) -> Iterator[Prediction | Unreadable]:
        """Answer for each file with its `top` classes, at least one, in order; however many, in fixed memory."""
        paths, again = tee(map(str, images))
        first = list(islice(paths, BATCH))
        engine = self._engine(BATCH if len(first) == BATCH else 1)
        answers = run_engine(engine, prefetch_map(self._fitted, chain(first, paths), depth=4 * BATCH))
        for path, answer in zip(again, answers, strict=True):
            if isinstance(answer, ImageError):
                yield Unreadable(path, str(answer))
            else:
                yield self.told(path, answer, top)

    def predict_one(self, content: bytes, *, path: str, top: int = 3) -> Prediction:
        """Answer for the bytes of one image file. Raises ImageError."""
        image = self.bundle.preprocessing(decode(content))
        (rows,) = self._engine(1).run([image[np.newaxis]])
        return self.told(path, rows[0], top)

    def runner_for_many(self) -> Runner:
        """The bundle compiled for many callers at once, each with an image; its rows are for `told`."""
        return self._compiled(1, callers=True)

    def _fitted(self, path: str) -> ImageArray | ImageError:
        try:
            return self.bundle.preprocessing(read_image(path))
        except ImageError as error:
            return error

    def told(self, path: str, answer: Row, top: int) -> Prediction:
        """What a row says: probabilities, and after them how strange the image is where the bundle knows."""
        classes = self.bundle.classes
        probabilities, strangeness = answer[: len(classes)], next(iter(answer[len(classes) :].tolist()), None)
        best = np.argsort(-probabilities, kind="stable")[: max(top, 1)]
        choices = tuple(Choice(classes[i], float(probabilities[i])) for i in best)
        reject = self.bundle.reject
        unknown = reject is not None and reject.refuses(choices[0].probability, strangeness)
        return Prediction(path, choices, unknown)

    def _engine(self, batch: int) -> Runner:
        """The bundle compiled for this many images at once, when first needed; alone, an image must not wait."""
        with self._compiling:
            if batch not in self._engines:
                self._engines[batch] = self._compiled(batch)
            return self._engines[batch]

    def _compiled(self, batch: int, *, callers: bool = False) -> Runner:
        asks = self.bundle.reject is not None and self.bundle.reject.strangeness is not None
        return compile_bundle(self.bundle, batch=batch, precision=self._precision, strangeness=asks, callers=callers)
