"""How strange an image is to a classifier: how far its features lie from those of the training images.

Features are scaled to length 1 first. Their length says little of what is seen, and noise, whose features are all
small, would else lie among the photos; it is also what lets the distance survive a base in bfloat16.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Labels
from tellapart.data.splits.round_robin import round_robin
from tellapart.engine import Graph, core
from tellapart.models.graphs.surgery import find_features as features_of
from tellapart.models.graphs.surgery import rows_per_image

Method = Literal["mahalanobis", "nearest"]
OUTPUT_NAME = "strangeness"  # of the graph's second output
MAX_COLUMNS = 4096  # numbers of an image that are looked at: pixels can be more, and are much alike
MAX_IMAGES = 10_000  # training images at most, evenly by class: more of them hardly move means and spreads
MAX_FEATURES = 20_000_000  # features in all that are looked at: 80 MB, several times over while fitting
AXES = 256  # directions whose spread is told apart; with 128 or all 2,048 of Xception's the answers are the same
MAX_GRAPH_BYTES = 24_000_000  # bytes of training vectors kept in the graph
SHRINKAGE = 0.1  # of the spreads towards their mean; from 0.01 to 0.3 the answers are the same
ITERATIONS = 2  # of subspace iteration, more change nothing
MIN_VARIANCE = 1e-4  # squared: how far bfloat16 may move a vector of length 1; less spread than that says nothing
MIN_LENGTH = np.float32(1e-12)  # a length to divide by, where all features are 0
ROWS = np.array([1], np.int64)
Vectors = NDArray[np.float32]
Operations = Any
Node = Any
"""An output of an operation: OpenVINO has no types, so neither have these two."""


class Distance(Protocol):
    """How far vectors of length 1 lie from the training images'."""

    def score(self, vectors: Vectors) -> Vectors:
        """The distances of float32 (n, width): float32 (n,), larger is stranger."""

    def node(self, ops: Operations, vectors: Node) -> Node:
        """The same in a graph: float32 (n, 1)."""


@dataclass(frozen=True)
class Outliers:
    """What tells strange images: which of an image's `width` features count, and a distance between them."""

    width: int
    columns: NDArray[np.int32]
    distance: Distance

    def score(self, features: Vectors) -> Vectors:
        """How strange images are by their features, float32 (n, width): float32 (n,), larger is stranger."""
        if features.ndim != 2 or features.shape[1] != self.width:
            raise ValueError(f"features are {features.shape}, expected (n, {self.width}): take them from the same base")
        return self.distance.score(_unit(features[:, self.columns]))

    def node(self, ops: Operations, features: Node) -> Node:
        """The same in a graph: float32 (n, width) to float32 (n, 1)."""
        if len(self.columns) < self.width:
            features = ops.gather(features, self.columns, np.int64(1))
        lengths = ops.sqrt(ops.reduce_sum(ops.multiply(features, features), ROWS, keep_dims=True))
        return self.distance.node(ops, ops.divide(features, ops.maximum(lengths, MIN_LENGTH)))


@dataclass(frozen=True)
class Mahalanobis:
    """The squared distance to the nearest class's mean, where a direction counts less the more images spread in it.

    Along `axes`, float32 (width, axes), the variance is `spreads`, float32 (axes,), and in all other directions
    `rest`; it is the same in all classes. What depends on the class is linear: `slopes`, float32 (width, classes),
    and `offsets`, float32 (classes,). Source: Lee et al., A simple unified framework (2018), on vectors of length 1.
    """

    centre: Vectors
    axes: Vectors
    spreads: Vectors
    rest: np.float32
    slopes: Vectors
    offsets: Vectors

    def score(self, vectors: Vectors) -> Vectors:
        """The squared distances, in variances: float32 (n, width) to float32 (n,)."""
        moved = vectors - self.centre
        along = moved @ self.axes
        beside = moved - along @ self.axes.T
        to_centre = (along**2 / self.spreads).sum(axis=1) + (beside**2).sum(axis=1) / self.rest
        distances: Vectors = to_centre + (self.offsets - moved @ self.slopes).min(axis=1)
        return distances

    def node(self, ops: Operations, vectors: Node) -> Node:
        """The same in a graph: float32 (n, 1)."""
        moved = ops.subtract(vectors, self.centre[np.newaxis])
        axes = ops.constant(self.axes)
        along = ops.matmul(moved, axes, transpose_a=False, transpose_b=False)
        beside = ops.subtract(moved, ops.matmul(along, axes, transpose_a=False, transpose_b=True))
        squares = ops.divide(ops.multiply(along, along), self.spreads[np.newaxis])
        others = ops.divide(ops.reduce_sum(ops.multiply(beside, beside), ROWS, keep_dims=True), self.rest)
        to_centre = ops.add(ops.reduce_sum(squares, ROWS, keep_dims=True), others)
        linear = ops.matmul(moved, ops.constant(self.slopes), transpose_a=False, transpose_b=False)
        nearer = ops.reduce_min(ops.subtract(self.offsets[np.newaxis], linear), ROWS, keep_dims=True)
        return ops.add(to_centre, nearer)


@dataclass(frozen=True)
class NearestNeighbour:
    """Half the squared distance to the nearest of some training images.

    They are `known`, float32 (images, width), from the `centre` of all, where bfloat16 still tells them apart;
    `halves` of their squared lengths, float32 (images,). Source: Sun et al., Out-of-distribution detection with deep
    nearest neighbors (2022). Of the k-th nearest the first told best here, whether 1,000 or 3,000 images were kept.
    """

    centre: Vectors
    known: Vectors
    halves: Vectors

    def score(self, vectors: Vectors) -> Vectors:
        """The distances in [0, 2]: float32 (n, width) to float32 (n,)."""
        moved = vectors - self.centre
        nearness = (moved @ self.known.T - self.halves).max(axis=1)
        nearest: Vectors = np.maximum((moved**2).sum(axis=1) / 2 - nearness, 0)
        return nearest

    def node(self, ops: Operations, vectors: Node) -> Node:
        """The same in a graph: float32 (n, 1)."""
        moved = ops.subtract(vectors, self.centre[np.newaxis])
        products = ops.matmul(moved, ops.constant(self.known), transpose_a=False, transpose_b=True)
        nearness = ops.reduce_max(ops.subtract(products, self.halves[np.newaxis]), ROWS, keep_dims=True)
        lengths = ops.reduce_sum(ops.multiply(moved, moved), ROWS, keep_dims=True)
        return ops.maximum(ops.subtract(ops.multiply(lengths, np.float32(0.5)), nearness), np.float32(0))


def fit_outliers(features: Vectors, labels: Labels, method: Method = "mahalanobis", *, seed: int = 0) -> Outliers:
    """Learn what is usual from training images: features float32 (n, width) and their classes int32 (n,).

    Both methods tell photos from digits and noise (benchmarks/outliers.py); the default takes a tenth of the room, and
    no training image's features leave with it. Of many images, and of very many features, `seed` chooses some.
    Raises ValueError for no images and for numbers that are not finite.
    """
    if method not in get_args(Method):
        raise ValueError(f"method is {method!r}, expected one of {', '.join(get_args(Method))}")
    if features.ndim != 2 or len(features) != len(labels) or 0 in features.shape:
        raise ValueError(f"features are {features.shape} for {len(labels)} labels, expected (n, width), n at least 1")
    rng, width = np.random.default_rng(seed), features.shape[1]
    columns = np.sort(rng.choice(width, min(width, MAX_COLUMNS), replace=False)).astype(np.int32)
    most = (
        min(MAX_IMAGES, MAX_FEATURES // len(columns))
        if method == "mahalanobis"
        else MAX_GRAPH_BYTES // (4 * len(columns))
    )
    kept = evenly(labels, most, rng)
    chosen = features[np.ix_(kept, columns)]
    if not np.isfinite(chosen).all():
        raise ValueError("features hold numbers that are not finite: look for the image that they are of")
    vectors = _unit(chosen)
    fitted = _mahalanobis(vectors, labels[kept], rng) if method == "mahalanobis" else _nearest(vectors)
    return Outliers(width, columns, fitted)


def evenly(labels: Labels, at_most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Which of some images to take, at most so many, at random but as many of each class as can be; in order."""
    mixed = rng.permutation(len(labels))
    chosen: NDArray[np.intp] = np.sort(mixed[round_robin(labels[mixed])[:at_most]])
    return chosen


def outlier_threshold(scores: Vectors, share: float = 0.99) -> float:
    """The least score that at least this share of images, float32 (n,), do not exceed; stranger ones are refused.

    Give it images that were not trained on. Raises ValueError for a share outside (0, 1] and for no or unfit scores.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}, expected more than 0 and at most 1")
    if not len(scores) or not np.isfinite(scores).all():
        raise ValueError(f"{len(scores)} scores, not all of them finite; expected at least one, and all finite")
    return float(np.sort(scores)[math.ceil(share * len(scores)) - 1])


def add_score(graph: Graph, outliers: Outliers) -> Graph:
    """The same graph with a second output, `strangeness`, float32 (n, 1): of the images, not of mirror images.

    Raises ValueError where the graph has other features than were fitted.
    """
    core()
    import openvino
    from openvino import opset15 as ops

    answer = graph.get_results()[0].input_value(0)
    part = openvino.Model([answer, features_of(graph)], graph.get_parameters()).clone()
    answer, features = (result.input_value(0) for result in part.get_results())
    if features.partial_shape[1] != outliers.width:
        raise ValueError(f"the graph's features are {features.partial_shape}, expected (?, {outliers.width})")
    if features.element_type.to_string() != "f32":
        features = ops.convert(features, "f32").output(0)
    if (rows := rows_per_image(graph)) > 1:
        features = ops.split(features, np.int64(0), rows).output(0)
    score = outliers.node(ops, features)
    score.set_friendly_name(OUTPUT_NAME)
    score.output(0).get_tensor().set_names({OUTPUT_NAME})
    return openvino.Model([answer, score.output(0)], part.get_parameters(), graph.get_friendly_name())


def _unit(features: Vectors) -> Vectors:
    lengths = np.sqrt(np.einsum("ij,ij->i", features, features))[:, np.newaxis]
    scaled: Vectors = features / np.maximum(lengths, MIN_LENGTH)
    return scaled


def _nearest(vectors: Vectors) -> NearestNeighbour:
    centre: Vectors = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    known = vectors - centre
    return NearestNeighbour(centre, known, np.einsum("ij,ij->i", known, known) / 2)


def _mahalanobis(vectors: Vectors, labels: Labels, rng: np.random.Generator) -> Mahalanobis:
    """Means by class, and the spread around them that all classes share, the more even the fewer its directions."""
    _, classes = np.unique(labels, return_inverse=True)
    counts = np.bincount(classes)
    centre = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    moved = vectors - centre
    means = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(means, classes, moved)
    means /= counts[:, np.newaxis]
    around = moved - means.astype(np.float32)[classes]
    axes, spreads, rest = _shrunk(*_principal(around, rng), max(len(vectors) - len(counts), 1))
    along = means @ axes
    slopes = axes @ (along / spreads).T + (means - along @ axes.T).T / rest
    offsets = np.einsum("ij,ji->i", means, slopes)
    parts = {"centre": centre, "axes": axes, "spreads": spreads, "slopes": 2 * slopes, "offsets": offsets}
    return Mahalanobis(rest=np.float32(rest), **{name: part.astype(np.float32) for name, part in parts.items()})


def _principal(around: Vectors, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """The directions in which rows (n, width) spread most, (width, axes), their sums of squares, and all directions'.

    By subspace iteration: a matrix of width x width is never made. Source: Halko, Martinsson and Tropp, Finding
    structure with randomness (2011), algorithm 4.4.
    """
    count = min(AXES, *around.shape)
    basis = rng.standard_normal((around.shape[1], count)).astype(np.float32)
    for _ in range(ITERATIONS):
        basis, _ = np.linalg.qr(around.T @ (around @ basis))
    squares, turned = np.linalg.eigh((projected := (around @ basis).astype(np.float64)).T @ projected)
    return basis @ turned, np.maximum(squares, 0), float(np.square(around, dtype=np.float64).sum())


def _shrunk(
    axes: NDArray[np.float64], squares: NDArray[np.float64], total: float, freedom: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """The same directions with variances instead of sums of squares, and the variance in each other direction."""
    width, count = axes.shape
    mean = max(total / freedom, MIN_VARIANCE) / width
    others = max(total - float(squares.sum()), 0) / freedom / max(width - count, 1)
    return axes, (1 - SHRINKAGE) * squares / freedom + SHRINKAGE * mean, (1 - SHRINKAGE) * others + SHRINKAGE * mean
