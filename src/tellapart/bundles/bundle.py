"""Bundle: one folder that is the classifier. Data only; hashed; checked before anything in it is used.

bundle.json     what it is: classes, preprocessing, recipe, metrics, and the SHA-256 of every other file
model.xml/.bin  OpenVINO graph: uint8 pictures (n, height, width, channels) to probabilities (n, classes)
model.keras     the same network for Keras: further training, other exports
splits.json     the hashes of the pictures it was trained and chosen on, so that they never judge it

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
from typing import Any

from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Graph, read_graph
from tellapart.errors import BundleError
from tellapart.files import sha256
from tellapart.models.estimators import FOREST, HEAD, HEAD_WEIGHTS, Estimator, read_estimator
from tellapart.version import __version__

FORMAT = 1
MANIFEST = "bundle.json"
GRAPH, WEIGHTS, KERAS, SEEN = "model.xml", "model.bin", "model.keras", "splits.json"
FILES = (GRAPH, WEIGHTS, KERAS, SEEN)  # of a network
HEAD_FILES = (GRAPH, WEIGHTS, HEAD, HEAD_WEIGHTS, SEEN)
FOREST_FILES = (GRAPH, WEIGHTS, FOREST, SEEN)
HASH_DIGITS = 16  # of a picture's SHA-256 in splits.json: 64 bits tell a billion pictures apart


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
                classes=tuple(str(name) for name in fields["classes"]),
                preprocessing=Preprocessing(**fields["preprocessing"]),
                recipe=dict(fields["recipe"]),
                metrics=dict(fields["metrics"]),
                fingerprint=str(fields["fingerprint"]),
                licence=fields["licence"],
            )
            return Bundle(folder, facts, {str(name): str(value) for name, value in fields["files"].items()})
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BundleError(f"{folder / MANIFEST} lacks or misstates {error}: train the bundle again") from error

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
        """The geometry that pictures go through before the graph."""
        return self.facts.preprocessing

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics by split, as in the run's `metrics.json`."""
        return self.facts.metrics

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
        outputs = int(self.graph.output(0).partial_shape[1].get_length())
        if self.estimator is not None:
            if outputs != self.estimator.width:
                raise BundleError(
                    f"the graph of {self.folder} gives {outputs} features, its estimator takes "
                    f"{self.estimator.width}: copy the bundle again, as a whole"
                )
            outputs = self.estimator.classes
        if outputs != len(self.facts.classes):
            raise BundleError(f"{self.folder} names {len(self.facts.classes)} classes, its graph has {outputs} outputs")

    @cached_property
    def graph(self) -> Graph:
        """The OpenVINO graph, read but not compiled."""
        try:
            return read_graph(self.folder / GRAPH)
        except RuntimeError as error:
            raise BundleError(f"{self.folder / GRAPH} is not a graph that can be read: {error}") from error

    @cached_property
    def estimator(self) -> Estimator | None:
        """What takes the graph's features to probabilities, opened; None where the graph itself ends in those."""
        return read_estimator(self.folder, self.hashes, len(self.facts.classes))

    @cached_property
    def seen(self) -> Mapping[str, str]:
        """For each picture that training or choosing saw: the start of its hash, and `train` or `validation`."""
        return homes(json.loads((self.folder / SEEN).read_text()))


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
