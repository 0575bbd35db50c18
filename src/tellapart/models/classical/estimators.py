"""What stands on an image's vector: a graph to probabilities, or scikit-learn's forest.

Only a forest needs scikit-learn and skops, and only when it is stored, opened or asked.
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
"""An object of scikit-learn: the package has no types, so neither has this."""
Json = Any


class Estimator(Protocol):
    """A fitted model of vectors: float32 (n, width) to probabilities float32 (n, classes)."""

    @property
    def width(self) -> int:
        """How many numbers a vector has."""

    @property
    def classes(self) -> int:
        """How many classes it answers for, whether it has seen them all or not."""

    def runner(self, batch: int) -> Runner:
        """Make it ready for batches of up to `batch` vectors, always in float32."""

    def write(self, folder: Path) -> None:
        """Store it in a bundle's folder."""


@dataclass(frozen=True)
class GraphEstimator:
    """An estimator that is a graph, such as a matrix product and a softmax."""

    graph: Graph

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return int(self.graph.input(0).partial_shape[1].get_length())

    @property
    def classes(self) -> int:
        """How many classes it answers for."""
        return int(self.graph.output(0).partial_shape[1].get_length())

    def runner(self, batch: int) -> Runner:
        """Compile it. In bfloat16 near and nearest could not be told apart."""
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
        """How many numbers a vector has."""
        return int(self.model.n_features_in_)

    def runner(self, batch: int) -> Runner:
        """Ask it in this thread alone: for a few images, starting others takes longer than the trees."""
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
            answer = np.zeros((len(batch), self.forest.classes), np.float32)
            if len(batch):
                answer[:, self.forest.model.classes_] = self.forest.model.predict_proba(batch)
            yield answer


def with_temperature(estimator: Estimator, temperature: float) -> Estimator:
    """The same estimator with a temperature at its end. Only a graph has one."""
    return (
        GraphEstimator(add_temperature(estimator.graph, temperature))
        if isinstance(estimator, GraphEstimator)
        else estimator
    )


def read_estimator(folder: Path, names: Collection[str], classes: int) -> Estimator | None:
    """The estimator among a bundle's files, None where there is none. Raises BundleError, MissingPackageError."""
    if HEAD in names:
        try:
            return GraphEstimator(read_graph(folder / HEAD))
        except RuntimeError as error:
            raise BundleError(f"{folder / HEAD} is not a graph that can be read: {last_line(error)}") from error
    return read_forest(folder / FOREST, classes) if FOREST in names else None


# What a forest consists of, as skops writes it: how it is made again, and of which type. All else is refused.
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
    """Read `estimator.skops`. Types are checked before anything is made of them. Raises BundleError."""
    _require_trusted(path)
    skops = require("skops.io", extra="train")
    try:
        model = skops.load(path, trusted=[TREE])
        sound = type(model).__name__ == "RandomForestClassifier" and _sound(model, classes)
    except Exception as error:
        raise BundleError(
            f"{path} cannot be opened by the scikit-learn that is installed ({first_line(error, None)}): install the "
            f"one that the run's environment.json names, or train the bundle again"
        ) from error
    if not sound:
        raise BundleError(f"{path} is not a forest for {classes} classes: train the bundle again")
    return Forest(model, classes)


def _require_trusted(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            found = set(_nodes(json.loads(archive.read("schema.json"))))
    except (OSError, ValueError, KeyError, RecursionError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is not a skops file ({first_line(error, None)}): copy the bundle again") from error
    if strangers := sorted({kind for loader, kind in found if kind not in TRUSTED.get(loader, ())}):
        raise BundleError(
            f"{path} holds {', '.join(strangers[:5])}, which is no part of a forest and could run code: it was not "
            f"opened. Do not use this bundle"
        )


def _nodes(tree: Json) -> Iterator[tuple[str, str]]:
    """Each node of a skops schema: how it is made, and its type."""
    if isinstance(tree, dict):
        if {"__loader__", "__class__", "__module__"} & tree.keys():
            kind = f"{tree.get('__module__')}.{tree.get('__class__')}"
            yield str(tree.get("__loader__")), kind
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def _sound(model: Fitted, classes: int) -> bool:
    """Whether every tree leads from its root to leaves: scikit-learn follows the numbers without a look."""
    labels = np.asarray(model.classes_)
    if labels.dtype.kind != "i" or len(labels) == 0 or labels.min() < 0 or labels.max() >= classes:
        return False
    return all(_leads_to_leaves(one.tree_, model.n_features_in_, len(labels)) for one in model.estimators_)


def _leads_to_leaves(tree: Fitted, width: int, labels: int) -> bool:
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner, places = left != -1, np.arange(tree.node_count)
    return bool(
        tree.node_count > 0
        and tree.value.shape == (tree.node_count, 1, labels)
        and ((left > places) & (left < tree.node_count) & (right > places) & (right < tree.node_count))[inner].all()
        and ((feature >= 0) & (feature < width))[inner].all()
    )
