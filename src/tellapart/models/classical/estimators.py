"""Estimators on an image's vector: a graph to probabilities, or scikit-learn's forest.

Only a forest needs scikit-learn and skops, and only when it is stored, loaded or run.
"""

import json
import zipfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.pipeline import Runner
from tellapart.engine import Engine, Graph, last_line, read_graph, write_graph
from tellapart.errors import BundleError, first_line, require
from tellapart.models.graphs.surgery import add_temperature

HEAD, HEAD_WEIGHTS, FOREST = "head.xml", "head.bin", "estimator.skops"
Vectors = NDArray[np.float32]
Fitted = Any
"""A fitted scikit-learn object; scikit-learn has no types."""
Json = Any


class Estimator(Protocol):
    """A fitted model of vectors: float32 (n, width) to probabilities float32 (n, classes)."""

    @property
    def width(self) -> int:
        """The number of features of a vector."""

    @property
    def classes(self) -> int:
        """The number of classes, including those without training images."""

    def runner(self, batch: int) -> Runner:
        """Prepare it for batches of up to `batch` vectors, always in float32."""

    def write(self, folder: Path) -> None:
        """Store it in a bundle's folder."""


@dataclass(frozen=True)
class GraphEstimator:
    """An estimator that is a graph, such as a matrix product and a softmax."""

    graph: Graph

    @property
    def width(self) -> int:
        """The number of features of a vector."""
        return int(self.graph.input(0).partial_shape[1].get_length())

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.graph.output(0).partial_shape[1].get_length())

    def runner(self, batch: int) -> Runner:
        """Compile it in float32: bfloat16 does not resolve the distances of neighbours."""
        return Engine(self.graph, batch=batch, precision="float32", streams=batch > 1)

    def write(self, folder: Path) -> None:
        """Store it as `head.xml` and `head.bin`."""
        write_graph(self.graph, folder / HEAD)


@dataclass(frozen=True)
class Forest:
    """A fitted RandomForestClassifier, its labels being indices of classes."""

    model: Fitted
    classes: int

    @property
    def width(self) -> int:
        """The number of features of a vector."""
        return int(self.model.n_features_in_)

    def runner(self, batch: int) -> Runner:
        """Run it in this thread: for a few images, starting threads takes longer than the trees."""
        self.model.n_jobs = 1
        return _ForestRunner(self, batch)

    def write(self, folder: Path) -> None:
        """Store it as `estimator.skops`, compressed to a sixth."""
        skops = require("skops.io", extra="train")
        skops.dump(self.model, folder / FOREST, compression=zipfile.ZIP_DEFLATED, compresslevel=1)


@dataclass(frozen=True)
class _ForestRunner:
    forest: Forest
    batch: int

    def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[Vectors]:
        for batch in batches:
            probs = np.zeros((len(batch), self.forest.classes), np.float32)
            if len(batch):
                probs[:, self.forest.model.classes_] = self.forest.model.predict_proba(batch)
            yield probs


def with_temperature(estimator: Estimator, temperature: float) -> Estimator:
    """Add a temperature to an estimator that is a graph; return others unchanged."""
    return (
        GraphEstimator(add_temperature(estimator.graph, temperature))
        if isinstance(estimator, GraphEstimator)
        else estimator
    )


def read_estimator(folder: Path, names: Collection[str], classes: int) -> Estimator | None:
    """Read the estimator among a bundle's files; None without one. Raises BundleError, MissingPackageError."""
    if HEAD in names:
        try:
            return GraphEstimator(read_graph(folder / HEAD))
        except RuntimeError as error:
            raise BundleError(f"{folder / HEAD} is not a graph that can be read: {last_line(error)}") from error
    return read_forest(folder / FOREST, classes) if FOREST in names else None


# The parts of a forest as skops writes them: node types, and the classes allowed for each. All else is refused.
TREE = "sklearn.tree._tree.Tree"
TRUSTED = {
    "ObjectNode": ("sklearn.ensemble._forest.RandomForestClassifier", "sklearn.tree._classes.DecisionTreeClassifier"),
    "TreeNode": (TREE,),
    "NdArrayNode": ("numpy.ndarray", "numpy.int64", "numpy.float64"),
    "DictNode": ("builtins.dict",),
    "ListNode": ("builtins.list",),
    "TupleNode": ("builtins.tuple",),
    "TypeNode": ("builtins.str",),
    "JsonNode": ("builtins.str", "builtins.int", "builtins.float", "builtins.bool", "builtins.NoneType"),
    "CachedNode": ("sklearn.tree._classes.DecisionTreeClassifier", "numpy.ndarray"),
}


def read_forest(path: Path, classes: int) -> Forest:
    """Read `estimator.skops`. Types are checked before any object is built. Raises BundleError."""
    _require_trusted(path)
    skops = require("skops.io", extra="train")
    try:
        model = skops.load(path, trusted=[TREE])
        valid = type(model).__name__ == "RandomForestClassifier" and _is_valid(model, classes)
    except Exception as error:
        raise BundleError(
            f"{path} cannot be opened by the installed scikit-learn ({first_line(error, None)}): install the version "
            f"in the run's environment.json, or train the bundle again"
        ) from error
    if not valid:
        raise BundleError(f"{path} is not a forest for {classes} classes: train the bundle again")
    return Forest(model, classes)


def _require_trusted(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            nodes = set(_nodes(json.loads(archive.read("schema.json"))))
    except (OSError, ValueError, KeyError, RecursionError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is not a skops file ({first_line(error, None)}): copy the bundle again") from error
    if untrusted := sorted({kind for loader, kind in nodes if kind not in TRUSTED.get(loader, ())}):
        raise BundleError(
            f"{path} contains {', '.join(untrusted[:5])}, which is not part of a forest and could run code: it was not "
            f"opened. Do not use this bundle"
        )


def _nodes(tree: Json) -> Iterator[tuple[str, str]]:
    """The nodes of a skops schema: loader and class of each."""
    if isinstance(tree, dict):
        if {"__loader__", "__class__", "__module__"} & tree.keys():
            kind = f"{tree.get('__module__')}.{tree.get('__class__')}"
            yield str(tree.get("__loader__")), kind
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def _is_valid(model: Fitted, classes: int) -> bool:
    """True if every tree leads from its root to leaves: scikit-learn follows the indices without bounds checks."""
    labels = np.asarray(model.classes_)
    if labels.dtype.kind != "i" or len(labels) == 0 or labels.min() < 0 or labels.max() >= classes:
        return False
    return all(_leads_to_leaves(tree.tree_, model.n_features_in_, len(labels)) for tree in model.estimators_)


def _leads_to_leaves(tree: Fitted, width: int, labels: int) -> bool:
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner, indices = left != -1, np.arange(tree.node_count)
    return bool(
        tree.node_count > 0
        and tree.value.shape == (tree.node_count, 1, labels)
        and ((left > indices) & (left < tree.node_count) & (right > indices) & (right < tree.node_count))[inner].all()
        and ((feature >= 0) & (feature < width))[inner].all()
    )
