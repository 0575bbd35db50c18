"""Graphs of estimators, which need no scikit-learn: linear models, nearest neighbours, and pixels as features."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Labels
from tellapart.engine import Graph, core

Vectors = NDArray[np.float32]
ZERO_TOLERANCE = np.float32(1e-6)  # of a vector's squared length: its squared distance to itself, as rounding leaves it
EXACT_VOTE = np.float32(1e12)  # the vote of an identical neighbour: the others have no weight
PADDING_DISTANCE = 1e30  # half the squared distance of padding in the last group
ROWS = np.array([1], np.int64)
Operations = Any
Node = Any
"""An output of an operation; OpenVINO has no types."""


def pixel_graph(height: int, width: int, channels: int) -> Graph:
    """Build a graph from images, uint8 (n, height, width, channels), to their pixels as a vector: float32, 0 to 255."""
    ops = _operations()
    images = ops.parameter([-1, height, width, channels], np.uint8, name="pictures")
    shape = np.array([-1, height * width * channels], np.int64)
    return _graph(images, ops.reshape(ops.convert(images, "f32"), shape, special_zero=False), "pixels")


def linear_graph(centre: Vectors, scale: Vectors, slopes: Vectors, offsets: Vectors) -> Graph:
    """Build softmax(standardised features times slopes, float32 (classes, width), plus offsets, float32 (classes,))."""
    ops = _operations()
    features = ops.parameter([-1, len(centre)], np.float32, name="features")
    standard = ops.divide(ops.subtract(features, centre[np.newaxis]), scale[np.newaxis])
    logits = ops.add(ops.matmul(standard, slopes, transpose_a=False, transpose_b=True), offsets[np.newaxis])
    return _graph(features, ops.softmax(logits, axis=1), "linear")


def voting_graph(known: Vectors, labels: Labels, classes: int, *, neighbours: int) -> Graph:
    """Build a vote of the nearest of `known`, float32 (n, width), each with the weight 1 / Euclidean distance.

    Of equal distances the first are taken. Integers such as pixels are centred by integers, which keeps their
    products exact in float32, and equal distances equal.
    """
    ops = _operations()
    features = ops.parameter([-1, known.shape[1]], np.float32, name="features")
    centre = np.round(known.mean(axis=0, dtype=np.float64)).astype(np.float32)[np.newaxis]
    moved, known = ops.subtract(features, centre), known - centre
    rest = -len(known) % _group_size(len(known), neighbours)
    halves = np.einsum("ij,ij->i", known, known, dtype=np.float64) / 2
    halves = np.pad(halves, (0, rest), constant_values=PADDING_DISTANCE).astype(np.float32)[np.newaxis]
    # |x - y|^2 / 2 = |x|^2 / 2 - (x y - |y|^2 / 2), and |x| is the same for all y
    products = ops.matmul(moved, np.pad(known, ((0, rest), (0, 0))), transpose_a=False, transpose_b=True)
    nearness, voters = _nearest(ops, ops.subtract(products, halves), np.pad(labels, (0, rest)), len(known), neighbours)
    lengths = ops.reduce_sum(ops.multiply(moved, moved), ROWS, keep_dims=True)
    shares = _shares(ops, lengths, nearness)
    ballots = ops.one_hot(voters, np.int64(classes), np.float32(1), np.float32(0), axis=-1)
    counted = ops.multiply(ops.unsqueeze(shares, np.int64(2)), ballots)
    return _graph(features, ops.reduce_sum(counted, ROWS, keep_dims=False), "voting")


def _nearest(ops: Operations, nearness: Node, labels: Labels, count: int, neighbours: int) -> tuple[Node, Node]:
    """The largest values of each row of nearness, and their labels: both (n, neighbours).

    They are in the groups with the largest maxima, and only those are sorted: 10 times faster than the whole row.
    """
    size = _group_size(count, neighbours)
    grouped = ops.reshape(nearness, np.array([0, -1, size], np.int64), special_zero=True)
    maxima = ops.reduce_max(grouped, np.array([2], np.int64), keep_dims=False)
    groups = ops.topk(maxima, np.int64(neighbours), 1, "max", "index", index_element_type="i32", stable=True).output(1)
    members = ops.multiply(ops.unsqueeze(groups, np.int64(2)), np.int32(size))
    members = ops.add(members, np.arange(size, dtype=np.int32)[np.newaxis, np.newaxis])
    members = ops.reshape(members, np.array([0, neighbours * size], np.int64), special_zero=True)
    # gather_elements, as OpenVINO 2026.4's Gather with batch dimensions fails with a batch of 1
    candidates = ops.gather_elements(nearness, members, 1)
    best = ops.topk(candidates, np.int64(neighbours), 1, "max", "value", index_element_type="i32", stable=True)
    indices = ops.gather_elements(members, best.output(1), 1)
    voters = ops.gather(ops.constant(labels.astype(np.int32)), indices, np.int64(0))
    return best.output(0), voters


def _group_size(count: int, neighbours: int) -> int:
    """The size with at least as many groups as neighbours, and few values to sort in both steps."""
    return max(1, math.isqrt(count // neighbours))


def _shares(ops: Operations, lengths: Node, nearness: Node) -> Node:
    """Each neighbour's share of the vote: proportional to 1 / distance, or all of it at distance 0."""
    squares = ops.subtract(lengths, ops.multiply(nearness, np.float32(2)))
    least = ops.multiply(ops.add(lengths, np.float32(1)), ZERO_TOLERANCE)
    votes = ops.divide(np.float32(1), ops.sqrt(ops.maximum(squares, least)))
    votes = ops.select(ops.less_equal(squares, least), EXACT_VOTE, votes)
    return ops.divide(votes, ops.reduce_sum(votes, ROWS, keep_dims=True))


def _operations() -> Operations:
    core()
    from openvino import opset15

    return opset15


def _graph(parameter: Node, output: Node, name: str) -> Graph:
    import openvino

    return openvino.Model([output], [parameter], name)
