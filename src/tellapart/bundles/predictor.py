"""Prediction from image files or bytes. Needs neither TensorFlow nor Keras, and scikit-learn only for a forest."""

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
from tellapart.data.decode import ImageArray, decode
from tellapart.data.pipeline import BATCH, Runner, prefetch_map, run_engine
from tellapart.data.read_image import read_image
from tellapart.engine import Precision
from tellapart.errors import ImageError
from tellapart.late_binding import late_bound

Row = NDArray[np.float32]


@dataclass(frozen=True)
class ClassProbability:
    """A class and its probability in [0, 1]."""

    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """Prediction for one image: its most likely classes, best first."""

    path: str
    top: tuple[ClassProbability, ...]
    unknown: bool = False
    """True if the bundle's reject option rejects the image; the classes are listed all the same."""

    @property
    def label(self) -> str:
        """The predicted class."""
        return self.top[0].label

    @property
    def probability(self) -> float:
        """The probability of the predicted class, in [0, 1]."""
        return self.top[0].probability

    def as_json(self) -> dict[str, Any]:
        """Return the object that `predict --json` prints and the service answers."""
        top = [{"label": entry.label, "probability": entry.probability} for entry in self.top]
        fields = {"path": self.path, "label": self.label, "probability": self.probability}
        return {**fields, "unknown": self.unknown, "top": top}

    def _repr_html_(self) -> str:
        """The image, where its file is still there, and a bar for each class, for a notebook."""
        return str(late_bound("prediction_html")(self))


@dataclass(frozen=True)
class Unreadable:
    """An image that cannot be read, with the reason."""

    path: str
    error: str

    def as_json(self) -> dict[str, Any]:
        """Return the object that `predict --json` prints."""
        return {"path": self.path, "error": self.error}

    def _repr_html_(self) -> str:
        """The path and the reason, for a notebook."""
        return str(late_bound("unreadable_html")(self))


class Predictor:
    """A verified and compiled bundle. Thread-safe."""

    def __init__(self, bundle: Bundle | str | Path, *, precision: Precision | None = None) -> None:
        """Verify the bundle; compile it on first use. `precision` defaults to the bundle's own. Raises BundleError."""
        self.bundle = Bundle.of(bundle)
        self.bundle.verify()
        self._precision = precision
        self._compile_lock = threading.Lock()
        self._engines: dict[int, Runner] = {}

    def predict(self, images: Iterable[str | Path], *, top: int = 3) -> Iterator[Prediction | Unreadable]:
        """Predict the `top` classes of each file, at least one, in order, in constant memory."""
        paths, again = tee(map(str, images))
        first = list(islice(paths, BATCH))
        engine = self._engine(BATCH if len(first) == BATCH else 1)
        results = run_engine(engine, prefetch_map(self._preprocess, chain(first, paths), depth=4 * BATCH))
        for path, result in zip(again, results, strict=True):
            if isinstance(result, ImageError):
                yield Unreadable(path, str(result))
            else:
                yield self.to_prediction(path, result, top)

    def predict_one(self, content: bytes, *, path: str, top: int = 3) -> Prediction:
        """Predict the image in the bytes of a file. Raises ImageError."""
        image = self.bundle.preprocessing(decode(content))
        (rows,) = self._engine(1).run([image[np.newaxis]])
        return self.to_prediction(path, rows[0], top)

    def concurrent_runner(self) -> Runner:
        """Compile the bundle for concurrent callers with an image each; its rows are for `to_prediction`."""
        return self._compile(1, concurrent=True)

    def _preprocess(self, path: str) -> ImageArray | ImageError:
        try:
            return self.bundle.preprocessing(read_image(path))
        except ImageError as error:
            return error

    def to_prediction(self, path: str, row: Row, top: int) -> Prediction:
        """Turn a runner's row into a prediction: probabilities, then the OOD score if the bundle has one."""
        classes = self.bundle.classes
        probs, ood_score = row[: len(classes)], next(iter(row[len(classes) :].tolist()), None)
        best = np.argsort(-probs, kind="stable")[: max(top, 1)]
        ranked = tuple(ClassProbability(classes[i], float(probs[i])) for i in best)
        reject = self.bundle.reject
        unknown = reject is not None and reject.rejects(ranked[0].probability, ood_score)
        return Prediction(path, ranked, unknown)

    def _engine(self, batch: int) -> Runner:
        """Compile the bundle for a batch size on first use; a single image runs in a batch of its own."""
        with self._compile_lock:
            if batch not in self._engines:
                self._engines[batch] = self._compile(batch)
            return self._engines[batch]

    def _compile(self, batch: int, *, concurrent: bool = False) -> Runner:
        ood_score = self.bundle.reject is not None and self.bundle.reject.strangeness is not None
        return compile_bundle(
            self.bundle, batch=batch, precision=self._precision, ood_score=ood_score, concurrent=concurrent
        )
