"""Prediction from images. Needs neither TensorFlow nor Keras, and scikit-learn only for a forest."""

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice, tee
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.image_inputs import ImageInput, NamedImage, named_image, named_images
from tellapart.data.pipeline import BATCH, Runner, prefetch_map, run_engine
from tellapart.engine import Precision
from tellapart.errors import BundleError, ImageError
from tellapart.judging.calibration import centred_logs
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
    true: str | None = None
    """The true label, where the image is one of a data set, such as mnist:test[7388]."""
    top_logits: tuple[float, ...] = field(default=(), compare=False, repr=False)
    """The logit of each class in `top`: see `logits`."""

    @property
    def label(self) -> str:
        """The predicted class."""
        return self.top[0].label

    @property
    def probability(self) -> float:
        """The probability of the predicted class, in [0, 1]."""
        return self.top[0].probability

    @property
    def scores(self) -> Mapping[str, float]:
        """The probability of each class in `top` by its name, best first; `top=len(classes)` lists all classes."""
        return {entry.label: entry.probability for entry in self.top}

    @property
    def logits(self) -> Mapping[str, float]:
        """The logit of each class in `top` by its name: ln p minus the mean of ln p over all classes of the bundle.

        The softmax of the logits of all classes is their probabilities. Where a network ends in a softmax, they are
        the numbers that go into it, divided by the temperature, less a number that is the same for all classes. A
        probability of 0, as neighbours and trees give it, counts as 1.2e-38.
        """
        return {entry.label: logit for entry, logit in zip(self.top, self.top_logits, strict=True)}

    def as_json(self, *, logits: bool = False) -> dict[str, Any]:
        """Return the object that `predict --json` prints and the service answers; with `logits`, also in `top`."""
        top: list[dict[str, Any]] = [{"label": entry.label, "probability": entry.probability} for entry in self.top]
        if logits:
            top = [entry | {"logit": logit} for entry, logit in zip(top, self.top_logits, strict=True)]
        fields = {"path": self.path, "label": self.label, "probability": self.probability}
        known = {} if self.true is None else {"true": self.true}
        return {**fields, "unknown": self.unknown, "top": top, **known}

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
    """A verified and compiled bundle. Thread-safe; in a forked process and a copy by pickle it is compiled again."""

    def __init__(self, bundle: Bundle | str | Path, *, precision: Precision | None = None) -> None:
        """Verify the bundle; compile it on first use. `precision` defaults to the bundle's own. Raises BundleError."""
        self.bundle = Bundle.of(bundle)
        self.bundle.verify()
        self._folder = str(self.bundle.folder.absolute())  # wherever this process goes later
        self._precision = precision
        self._forget_engines()
        _PREDICTORS.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the bundle's folder and its hashes; unpickling opens the folder again. Raises BundleError there."""
        return _open_again, (self._folder, dict(self.bundle.hashes), self._precision)

    def predict(self, images: ImageInput | Iterable[ImageInput], *, top: int = 3) -> Iterator[Prediction | Unreadable]:
        """Predict the `top` classes of each image, at least one, in order, in constant memory.

        `images` is one image, or an iterable of images, each a path, bytes, an open file, a Pillow image or a uint8
        array; or a folder or a glob, whose images are listed as by `tellapart predict`. Raises TypeError for anything
        else, DatasetError for a folder without images.
        """
        return self._predict(named_images(images, self.bundle.preprocessing.conversion), top)

    def _predict(self, images: Iterator[NamedImage], top: int) -> Iterator[Prediction | Unreadable]:
        images, again = tee(images)
        first = list(islice(images, BATCH))
        engine = self._engine(BATCH if len(first) == BATCH else 1)
        results = run_engine(engine, prefetch_map(self._preprocess, chain(first, images), depth=4 * BATCH))
        for image, result in zip(again, results, strict=True):
            if isinstance(result, ImageError):
                yield Unreadable(image.name, str(result))
            else:
                yield replace(self.to_prediction(image.name, result, top), true=image.true)

    def predict_one(self, image: ImageInput, *, path: str | None = None, top: int = 3) -> Prediction:
        """Predict one image, which `predict` takes too. `path` replaces its name. Raises ImageError, TypeError."""
        named = named_image(image, path, self.bundle.preprocessing.conversion)
        (rows,) = self._engine(1).run([self.bundle.preprocessing(named.read())[np.newaxis]])
        return replace(self.to_prediction(named.name, rows[0], top), true=named.true)

    def concurrent_runner(self) -> Runner:
        """Compile the bundle for concurrent callers with an image each; its rows are for `to_prediction`."""
        return self._compile(1, concurrent=True)

    def _preprocess(self, image: NamedImage) -> ImageArray | ImageError:
        try:
            return self.bundle.preprocessing(image.read())
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
        return Prediction(path, ranked, unknown, top_logits=tuple(centred_logs(probs)[best].tolist()))

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

    def _forget_engines(self) -> None:
        self._compile_lock = threading.Lock()
        self._engines: dict[int, Runner] = {}


def _open_again(folder: str, hashes: Mapping[str, str], precision: Precision | None) -> Predictor:
    bundle = Bundle.open(folder)
    if bundle.hashes != hashes:
        raise BundleError(f"{folder} holds another bundle than when the Predictor was pickled: open it again")
    return Predictor(bundle, precision=precision)


_PREDICTORS: WeakSet[Predictor] = WeakSet()


def _forget_all_engines() -> None:
    """Let a forked process compile its own engines, for it has none of the threads that run its parent's."""
    for predictor in _PREDICTORS:
        predictor._forget_engines()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all_engines)
