"""Out-of-distribution (OOD) scores: distances of an image's features from those of the training images.

Features are scaled to length 1 first. Their length says little about the content, and noise, whose features are all
small, would otherwise be close to the photos; scaling also makes the distance robust to a backbone in bfloat16.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Labels
from tellapart.data.splits.grouping import round_robin
from tellapart.engine import Graph, core
from tellapart.models.graphs.surgery import find_features, rows_per_image

Method = Literal["mahalanobis", "nearest"]
OUTPUT_NAME = "strangeness"  # of the graph's second output
MAX_COLUMNS = 4096  # features used; pixels can be more, and are highly correlated
MAX_IMAGES = 10_000  # training images used, evenly by class: more hardly change means and variances
MAX_FEATURES = 20_000_000  # features used in all: 80 MB, several times that while fitting
AXES = 256  # principal axes with a variance of their own; 128, or all 2,048 of Xception's, give the same results
MAX_GRAPH_BYTES = 24_000_000  # of training vectors in the graph
SHRINKAGE = 0.1  # of the variances towards their mean; 0.01 to 0.3 give the same results
ITERATIONS = 2  # of subspace iteration; more change nothing
MIN_VARIANCE = 1e-4  # squared error of a vector of length 1 in bfloat16; less variance is noise
MIN_LENGTH = np.float32(1e-12)  # divides features that are all 0
ROWS = np.array([1], np.int64)
Vectors = NDArray[np.float32]
Operations = Any
Node = Any
"""An output of an operation; OpenVINO has no types."""


class Distance(Protocol):
    """A distance of vectors of length 1 from those of the training images."""

    def score(self, vectors: Vectors) -> Vectors:
        """Compute the distances of float32 (n, width): float32 (n,)."""

    def node(self, ops: Operations, vectors: Node) -> Node:
        """Build the same in a graph: float32 (n, 1)."""


@dataclass(frozen=True)
class Outliers:
    """A fitted OOD score: the `columns` used of an image's `width` features, and a distance on them."""

    width: int
    columns: NDArray[np.int32]
    distance: Distance

    def score(self, features: Vectors) -> Vectors:
        """Score images by their features, float32 (n, width): float32 (n,), the larger, the more of an outlier."""
        if features.ndim != 2 or features.shape[1] != self.width:
            raise ValueError(f"features are {features.shape}, expected (n, {self.width}): use the same backbone")
        return self.distance.score(unit_length(features[:, self.columns]))

    def node(self, ops: Operations, features: Node) -> Node:
        """Build the same in a graph: float32 (n, width) to float32 (n, 1)."""
        if len(self.columns) < self.width:
            features = ops.gather(features, self.columns, np.int64(1))
        lengths = ops.sqrt(ops.reduce_sum(ops.multiply(features, features), ROWS, keep_dims=True))
        return self.distance.node(ops, ops.divide(features, ops.maximum(lengths, MIN_LENGTH)))


@dataclass(frozen=True)
class Mahalanobis:
    """The squared Mahalanobis distance to the nearest class mean, with one covariance for all classes.

    The variance is `variances`, float32 (axes,), along `axes`, float32 (width, axes), and `rest` in all other
    directions. The class-dependent part is linear: `slopes`, float32 (width, classes), and `offsets`,
    float32 (classes,). Source: Lee et al., A simple unified framework (2018), on vectors of length 1.
    """

    centre: Vectors
    axes: Vectors
    variances: Vectors
    rest: np.float32
    slopes: Vectors
    offsets: Vectors

    def score(self, vectors: Vectors) -> Vectors:
        """Compute the squared distances, in variances: float32 (n, width) to float32 (n,)."""
        centred = vectors - self.centre
        projected = centred @ self.axes
        residual = centred - projected @ self.axes.T
        to_centre = (projected**2 / self.variances).sum(axis=1) + (residual**2).sum(axis=1) / self.rest
        distances: Vectors = to_centre + (self.offsets - centred @ self.slopes).min(axis=1)
        return distances

    def node(self, ops: Operations, vectors: Node) -> Node:
        """Build the same in a graph: float32 (n, 1)."""
        centred = ops.subtract(vectors, self.centre[np.newaxis])
        axes = ops.constant(self.axes)
        projected = ops.matmul(centred, axes, transpose_a=False, transpose_b=False)
        residual = ops.subtract(centred, ops.matmul(projected, axes, transpose_a=False, transpose_b=True))
        squares = ops.divide(ops.multiply(projected, projected), self.variances[np.newaxis])
        rest = ops.divide(ops.reduce_sum(ops.multiply(residual, residual), ROWS, keep_dims=True), self.rest)
        to_centre = ops.add(ops.reduce_sum(squares, ROWS, keep_dims=True), rest)
        linear = ops.matmul(centred, ops.constant(self.slopes), transpose_a=False, transpose_b=False)
        nearest = ops.reduce_min(ops.subtract(self.offsets[np.newaxis], linear), ROWS, keep_dims=True)
        return ops.add(to_centre, nearest)


@dataclass(frozen=True)
class NearestNeighbour:
    """Half the squared distance to the nearest training image.

    `known`, float32 (images, width), are the training vectors minus their `centre`, so that bfloat16 resolves their
    differences; `halves`, float32 (images,), half their squared lengths. Source: Sun et al., Out-of-distribution
    detection with deep nearest neighbors (2022). Of the k-th nearest neighbours the first was the best here, with
    1,000 and with 3,000 images.
    """

    centre: Vectors
    known: Vectors
    halves: Vectors

    def score(self, vectors: Vectors) -> Vectors:
        """Compute the distances in [0, 2]: float32 (n, width) to float32 (n,)."""
        centred = vectors - self.centre
        nearness = (centred @ self.known.T - self.halves).max(axis=1)
        nearest: Vectors = np.maximum((centred**2).sum(axis=1) / 2 - nearness, 0)
        return nearest

    def node(self, ops: Operations, vectors: Node) -> Node:
        """Build the same in a graph: float32 (n, 1)."""
        moved = ops.subtract(vectors, self.centre[np.newaxis])
        products = ops.matmul(moved, ops.constant(self.known), transpose_a=False, transpose_b=True)
        nearness = ops.reduce_max(ops.subtract(products, self.halves[np.newaxis]), ROWS, keep_dims=True)
        lengths = ops.reduce_sum(ops.multiply(moved, moved), ROWS, keep_dims=True)
        return ops.maximum(ops.subtract(ops.multiply(lengths, np.float32(0.5)), nearness), np.float32(0))


def fit_outliers(features: Vectors, labels: Labels, method: Method = "mahalanobis", *, seed: int = 0) -> Outliers:
    """Fit an OOD score on training images: features float32 (n, width) and their classes int32 (n,).

    Both methods separate photos from digits and noise (benchmarks/outliers.py); the default takes a tenth of the space
    and stores no training image's features. Of many images, and of very many features, `seed` draws a subset.
    Raises ValueError for no images and for features that are not finite.
    """
    if method not in get_args(Method):
        raise ValueError(f"method is {method!r}, expected one of {', '.join(get_args(Method))}")
    if features.ndim != 2 or len(features) != len(labels) or 0 in features.shape:
        raise ValueError(f"features are {features.shape} for {len(labels)} labels, expected (n, width), n at least 1")
    rng, width = np.random.default_rng(seed), features.shape[1]
    columns = np.sort(rng.choice(width, min(width, MAX_COLUMNS), replace=False)).astype(np.int32)
    limit = min(MAX_IMAGES, MAX_FEATURES // len(columns))
    if method == "nearest":
        limit = MAX_GRAPH_BYTES // (4 * len(columns))
    rows = evenly(labels, limit, rng)
    chosen = features[np.ix_(rows, columns)]
    if not np.isfinite(chosen).all():
        raise ValueError("some features are not finite: find and remove the image that they are of")
    vectors = unit_length(chosen)
    distance = _mahalanobis(vectors, labels[rows], rng) if method == "mahalanobis" else _nearest(vectors)
    return Outliers(width, columns, distance)


def unit_length(features: Vectors) -> Vectors:
    """Scale features, float32 (n, width), to length 1; those that are all 0 stay so."""
    lengths = np.sqrt(np.einsum("ij,ij->i", features, features))[:, np.newaxis]
    scaled: Vectors = features / np.maximum(lengths, MIN_LENGTH)
    return scaled


def evenly(labels: Labels, limit: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw up to `limit` images at random, balanced over classes: sorted indices."""
    shuffled = rng.permutation(len(labels))
    chosen: NDArray[np.intp] = np.sort(shuffled[round_robin(labels[shuffled])[:limit]])
    return chosen


def outlier_threshold(scores: Vectors, share: float = 0.99) -> float:
    """Find the least score that at least this share of images, float32 (n,), do not exceed; outliers are above it.

    Use images that were not trained on. Raises ValueError for a share outside (0, 1], no scores, or non-finite scores.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}, expected more than 0 and at most 1")
    if not len(scores) or not np.isfinite(scores).all():
        raise ValueError(f"{len(scores)} scores, not all of them finite; expected at least one, and all finite")
    return float(np.sort(scores)[math.ceil(share * len(scores)) - 1])


def add_score(graph: Graph, outliers: Outliers) -> Graph:
    """Add a second output to a graph, `OUTPUT_NAME`, float32 (n, 1): the score of the images, not of mirror images.

    Raises ValueError where the graph's features do not match the fitted ones.
    """
    core()
    import openvino
    from openvino import opset15 as ops

    probabilities = graph.get_results()[0].input_value(0)
    part = openvino.Model([probabilities, find_features(graph)], graph.get_parameters()).clone()
    probabilities, features = (result.input_value(0) for result in part.get_results())
    if features.partial_shape[1] != outliers.width:
        raise ValueError(f"the graph's features are {features.partial_shape}, expected (?, {outliers.width})")
    if features.element_type.to_string() != "f32":
        features = ops.convert(features, "f32").output(0)
    if (rows := rows_per_image(graph)) > 1:
        features = ops.split(features, np.int64(0), rows).output(0)
    score = outliers.node(ops, features)
    score.set_friendly_name(OUTPUT_NAME)
    score.output(0).get_tensor().set_names({OUTPUT_NAME})
    return openvino.Model([probabilities, score.output(0)], part.get_parameters(), graph.get_friendly_name())


def _nearest(vectors: Vectors) -> NearestNeighbour:
    centre: Vectors = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    known = vectors - centre
    return NearestNeighbour(centre, known, np.einsum("ij,ij->i", known, known) / 2)


def _mahalanobis(vectors: Vectors, labels: Labels, rng: np.random.Generator) -> Mahalanobis:
    """Fit the means of the classes and their shared covariance, of low rank and shrunk."""
    _, classes = np.unique(labels, return_inverse=True)
    counts = np.bincount(classes)
    centre = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = vectors - centre
    means = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(means, classes, centred)
    means /= counts[:, np.newaxis]
    residuals = centred - means.astype(np.float32)[classes]
    axes, variances, rest = _shrink(*_principal_axes(residuals, rng), max(len(vectors) - len(counts), 1))
    projected = means @ axes
    slopes = axes @ (projected / variances).T + (means - projected @ axes.T).T / rest
    offsets = np.einsum("ij,ji->i", means, slopes)
    parts = {"centre": centre, "axes": axes, "variances": variances, "slopes": 2 * slopes, "offsets": offsets}
    return Mahalanobis(rest=np.float32(rest), **{name: part.astype(np.float32) for name, part in parts.items()})


def _principal_axes(rows: Vectors, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Principal axes of rows (n, width), (width, axes), the sums of squares along them, and the total sum of squares.

    By subspace iteration, without a matrix of width x width. Source: Halko, Martinsson and Tropp, Finding structure
    with randomness (2011), algorithm 4.4.
    """
    count = min(AXES, *rows.shape)
    basis = rng.standard_normal((rows.shape[1], count)).astype(np.float32)
    for _ in range(ITERATIONS):
        basis, _ = np.linalg.qr(rows.T @ (rows @ basis))
    squares, rotation = np.linalg.eigh((projected := (rows @ basis).astype(np.float64)).T @ projected)
    return basis @ rotation, np.maximum(squares, 0), float(np.square(rows, dtype=np.float64).sum())


def _shrink(
    axes: NDArray[np.float64], squares: NDArray[np.float64], total: float, freedom: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """The axes, the shrunk variances along them, and the shrunk variance in each other direction."""
    width, count = axes.shape
    mean = max(total / freedom, MIN_VARIANCE) / width
    rest = max(total - float(squares.sum()), 0) / freedom / max(width - count, 1)
    return axes, (1 - SHRINKAGE) * squares / freedom + SHRINKAGE * mean, (1 - SHRINKAGE) * rest + SHRINKAGE * mean
