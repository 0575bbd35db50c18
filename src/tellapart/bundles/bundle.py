"""Bundle: one folder that is the classifier. Data only; hashed; checked before anything in it is used.

bundle.json     what it is: classes, preprocessing, recipe, metrics, and the SHA-256 of every other file
model.xml/.bin  OpenVINO graph: uint8 images (n, height, width, channels) to probabilities (n, classes)
model.keras     the same network for Keras, without the temperature: further training, other exports
splits.json     the hashes of the images it was trained and chosen on, so that they never judge it

Where an estimator is what was trained, `model.xml` ends in its features, float32 (n, width); there is no model.keras,
but one of these two, which take the features to probabilities in float32:

head.xml/.bin     k-NN and logistic regression: a graph too
estimator.skops   a forest: scikit-learn's, without pickle
"""

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from tellapart.data.preprocessing import Fit, Preprocessing
from tellapart.engine import Graph, Precision, has_nan, last_line, read_graph
from tellapart.errors import BundleError
from tellapart.files import sha256
from tellapart.models.classical.estimators import FOREST, HEAD, HEAD_WEIGHTS, Estimator, read_estimator
from tellapart.version import __version__

FORMAT = 1
MANIFEST = "bundle.json"
GRAPH, WEIGHTS, KERAS, SEEN = "model.xml", "model.bin", "model.keras", "splits.json"
FILES = (GRAPH, WEIGHTS, KERAS, SEEN)  # of a network
HEAD_FILES = (GRAPH, WEIGHTS, HEAD, HEAD_WEIGHTS, SEEN)
FOREST_FILES = (GRAPH, WEIGHTS, FOREST, SEEN)
HASH_DIGITS = 16  # of an image's SHA-256 in splits.json: 64 bits tell a billion images apart


@dataclass(frozen=True)
class Reject:
    """When the answer is "I don't know": at a probability below `probability`, or a strangeness above `strangeness`.

    A strangeness of None asks nothing of it, and then the graph need not say how strange an image is.
    """

    probability: float
    strangeness: float | None

    def refuses(self, probability: float, strangeness: float | None) -> bool:
        """Whether an image is not to be answered, by its likeliest class's probability and how strange it is."""
        strange = self.strangeness is not None and strangeness is not None and strangeness > self.strangeness
        return probability < self.probability or strange


@dataclass(frozen=True)
class Facts:
    """What `bundle.json` says of a classifier, apart from hashes."""

    name: str
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    recipe: Mapping[str, Any]
    metrics: Mapping[str, Any]
    fingerprint: str
    licence: str | None
    calibration: Mapping[str, float] | None = None
    """The temperature that is in the graph, and the expected calibration error on validation before and after it."""
    reject: Mapping[str, Any] | None = None
    """When the answer is "I don't know": see `Reject`."""


@dataclass(frozen=True)
class Bundle:
    """A bundle's folder and what it says of itself. `open` reads; `verify` checks every byte."""

    folder: Path
    facts: Facts
    hashes: Mapping[str, str]

    @staticmethod
    def open(folder: str | Path) -> "Bundle":
        """Read `bundle.json`, loading nothing else. Raises BundleError."""
        folder = Path(folder)
        fields = _manifest(folder)
        try:
            facts = Facts(
                name=str(fields["name"]),
                classes=_class_names(fields["classes"]),
                preprocessing=_preprocessing(fields["preprocessing"]),
                recipe=_recipe(fields["recipe"]),
                metrics=dict(fields["metrics"]),
                fingerprint=str(fields["fingerprint"]),
                licence=fields["licence"],
                calibration=fields.get("calibration"),
                reject=fields.get("reject"),
            )
            return Bundle(folder, facts, {str(name): str(value) for name, value in fields["files"].items()})
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BundleError(f"{folder / MANIFEST} lacks or misstates {error}: train the bundle again") from error

    @staticmethod
    def of(bundle: "Bundle | str | Path") -> "Bundle":
        """The bundle itself, or the one in that folder. Raises BundleError."""
        return bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)

    @property
    def precision(self) -> Precision:
        """What it predicts in, as its recipe has it."""
        precision: Precision = self.facts.recipe.get("precision", "auto")
        return precision

    @property
    def name(self) -> str:
        """The name of the data set it was trained on."""
        return self.facts.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the graph's outputs."""
        return self.facts.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """The geometry that images go through before the graph."""
        return self.facts.preprocessing

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics by split, as in the run's `metrics.json`."""
        return self.facts.metrics

    @cached_property
    def reject(self) -> Reject | None:
        """When the answer is "I don't know"; None where it always answers. Raises BundleError."""
        if self.facts.reject is None:
            return None
        try:
            probability, strangeness = self.facts.reject["probability"], self.facts.reject["strangeness"]
            return Reject(float(probability), None if strangeness is None else float(strangeness))
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"{self.folder / MANIFEST} misstates when to reject ({error}): calibrate again"
            ) from error

    def verify(self) -> None:
        """Refuse a missing, extra, truncated or altered file, and classes unlike the graph's. Raises BundleError.

        An estimator is opened for that: a forest needs scikit-learn, and raises MissingPackageError without.
        """
        found = {entry.name for entry in os.scandir(self.folder)}
        wanted = {*_files(self.hashes)}
        if missing := sorted({*self.hashes, MANIFEST} - found) + sorted(wanted - {*self.hashes}):
            raise BundleError(f"{self.folder} lacks {', '.join(missing)}: copy the bundle again, as a whole")
        if extra := sorted(found - {*wanted, MANIFEST}):
            raise BundleError(f"{self.folder} has {', '.join(extra)}, which is no part of it: remove what you added")
        for name, expected_hash in self.hashes.items():
            path = self.folder / name
            if path.is_symlink() or not path.is_file() or sha256(path) != expected_hash:
                raise BundleError(f"{path} is not the file that was written: copy the bundle again, as a whole")
        self._require_fit()

    def _require_fit(self) -> None:
        try:
            outputs = int(self.graph.output(0).partial_shape[1].get_length())
            taken = str(self.graph.input(0).partial_shape[1:])
        except (RuntimeError, IndexError) as error:  # no input, no output, or one of an unknown shape
            raise BundleError(
                f"{self.folder / GRAPH} is no classifier's graph, from images to (n, classes): copy the bundle again"
            ) from error
        if self.estimator is not None:
            if outputs != self.estimator.width:
                raise BundleError(
                    f"the graph of {self.folder} gives {outputs} features, its estimator takes "
                    f"{self.estimator.width}: copy the bundle again, as a whole"
                )
            outputs = self.estimator.classes
        if outputs != len(self.facts.classes):
            raise BundleError(f"{self.folder} names {len(self.facts.classes)} classes, its graph has {outputs} outputs")
        given = self.facts.preprocessing
        if taken != f"[{given.height},{given.width},{given.channels}]":
            raise BundleError(
                f"{self.folder} makes images of {given.height} x {given.width} x {given.channels}, its graph takes "
                f"{taken}: copy the bundle again, as a whole"
            )
        graphs = [self.graph, getattr(self.estimator, "graph", None)]
        if any(has_nan(graph) for graph in graphs if graph is not None):
            raise BundleError(f"the weights in {self.folder} are damaged: some are no numbers (NaN). Train it again")

    @cached_property
    def graph(self) -> Graph:
        """The OpenVINO graph, read but not compiled."""
        try:
            return read_graph(self.folder / GRAPH)
        except RuntimeError as error:
            raise BundleError(f"{self.folder / GRAPH} is not a graph that can be read: {last_line(error)}") from error

    @cached_property
    def estimator(self) -> Estimator | None:
        """What takes the graph's features to probabilities, opened; None where the graph itself ends in those."""
        return read_estimator(self.folder, self.hashes, len(self.facts.classes))

    @cached_property
    def seen(self) -> Mapping[str, str]:
        """For each image that training or choosing saw: the start of its hash, and `train` or `validation`."""
        return homes(json.loads((self.folder / SEEN).read_text()))


def _class_names(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len({*names}) < len(names):
        raise ValueError("the names of its classes, all different")
    return tuple(names)


def _preprocessing(fields: Mapping[str, Any]) -> Preprocessing:
    found = Preprocessing(**fields)
    sides = (found.height, found.width, found.channels)
    if not all(type(side) is int and side > 0 for side in sides) or found.fit not in get_args(Fit):
        raise ValueError("the geometry of its images")
    return found


def _recipe(fields: Mapping[str, Any]) -> dict[str, Any]:
    if fields.get("precision", "auto") not in get_args(Precision):
        raise ValueError("the precision that it predicts in")
    return dict(fields)


def homes(splits: Mapping[str, list[str]]) -> dict[str, str]:
    """Turn hashes by split into the split of each hash."""
    return {digest: split for split, digests in splits.items() for digest in digests}


def write_manifest(folder: Path, facts: Facts) -> None:
    """Hash the files in `folder` and write `bundle.json` beside them: the last step of making a bundle."""
    fields = {
        "format": FORMAT,
        "tellapart": __version__,
        **asdict(facts),
        "files": {name: sha256(folder / name) for name in _files([entry.name for entry in os.scandir(folder)])},
    }
    text = json.dumps({**fields, "sha256": _own_hash(fields)}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _files(names: Collection[str]) -> tuple[str, ...]:
    """The files that a bundle consists of, told by what only one kind has."""
    return HEAD_FILES if HEAD in names else FOREST_FILES if FOREST in names else FILES


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(
            f"{folder} is not a bundle: it has no {MANIFEST}. A run's is in its bundle/ folder"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read: {error}. Copy the bundle again, as a whole") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        found = fields.get("format") if isinstance(fields, dict) else type(fields).__name__
        raise BundleError(f"{path} has format {found!r}, this tellapart reads format {FORMAT}")
    if fields.pop("sha256", None) != _own_hash(fields):
        raise BundleError(f"{path} is not the file that was written: copy the bundle again, as a whole")
    return fields


def _own_hash(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
