"""Class activation maps without Keras: the classifier's head applied to each cell of the last feature map."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import Bundle
from tellapart.data.decoding.conversion import ImageArray
from tellapart.engine import Engine, Graph
from tellapart.errors import BundleError
from tellapart.explaining.centred_logits import MIN_PROB, Heat, centred_logits, min_probability, subtract_mean
from tellapart.models.classical.estimators import Estimator, GraphEstimator
from tellapart.models.graphs.surgery import (
    POOLINGS,
    find_feature_map,
    find_spatial_axes,
    graph_beyond,
    graph_up_to,
    rows_per_image,
)

Node = Any
"""An OpenVINO operation or an output of one; OpenVINO has no types."""
Scorer = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""Computes centred logits, (n, classes), from vectors, float32 (n, ...)."""


@dataclass(frozen=True)
class Layout:
    """Rows, columns and axes of a feature map, and the maps of one image (2 with its mirror image)."""

    rows: int
    columns: int
    axes: tuple[int, int]
    maps_per_image: int

    @property
    def cells(self) -> int:
        """The number of cells of all maps of one image."""
        return self.maps_per_image * self.rows * self.columns


def find_layout(graph: Graph) -> Layout | None:
    """Find the layout of the feature map that a graph pools last; None without pooling, or with a single cell."""
    maps, axes = find_feature_map(graph), find_spatial_axes(graph)
    if maps is None or axes is None or any(maps.partial_shape[axis].is_dynamic for axis in axes):
        return None
    rows, columns = (int(maps.partial_shape[axis].get_length()) for axis in axes)
    return Layout(rows, columns, axes, rows_per_image(graph)) if rows * columns > 1 else None


class Cam:
    """Class activation maps of a bundle whose network ends in pooling. Thread-safe.

    The head is applied to each cell's vector as if the whole image were like that cell. For a linear head that is the
    last feature map times the class's weights, minus the mean class's: a class activation map. For inner layers,
    neighbours or trees it generalises the map, which is then no sum over the cells.
    Source: Zhou et al., Learning deep features for discriminative localization (2016), section 2.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Compile the backbone and the head. Raises BundleError where nothing is pooled."""
        layout = find_layout(bundle.graph)
        if layout is None:
            raise BundleError(
                f"{bundle.folder} has no class activation map: its classifier does not end in the mean over a feature "
                f"map. Use the method occlusion, which works on any, or gradcam"
            )
        self._layout = layout
        self._maps = Engine(_flat_maps(bundle.graph), batch=1, precision=bundle.precision, streams=False)
        self._shape, self._score = _head(bundle, layout)

    def __call__(self, image: ImageArray, index: int) -> Heat:
        """Compute the centred logit of a class, by its index, for each cell: float32 (rows, columns)."""
        layout = self._layout
        (flat,) = self._maps.run([image[np.newaxis]])
        maps = flat.reshape(layout.maps_per_image, layout.rows * layout.columns, -1)
        scores = np.stack([self._scores(cells, index) for cells in maps])
        if layout.maps_per_image == 2:
            scores[1] = scores[1, :, ::-1]  # of the mirror image, mirrored back
        heat: Heat = scores.mean(axis=0)
        return heat

    def _scores(self, cells: NDArray[np.float32], index: int) -> Heat:
        vectors = np.concatenate([cells] * self._layout.maps_per_image)  # for the image and its mirror image
        column = self._score(vectors.reshape(-1, *self._shape))[: len(cells), index]
        return column.reshape(self._layout.rows, self._layout.columns).astype(np.float32)


def _flat_maps(graph: Graph) -> Graph:
    """A graph from images to their flattened feature maps: float32 (1, maps * rows * columns * channels)."""
    import openvino
    from openvino import opset13 as op

    part = graph_up_to(graph, find_feature_map(graph))
    end = part.get_results()[0].input_value(0)
    if find_spatial_axes(graph) == (2, 3):
        end = op.transpose(end, op.constant([0, 2, 3, 1])).output(0)
    flat = op.reshape(end, op.constant([1, -1]), special_zero=False)
    return openvino.Model([flat], part.get_parameters(), "feature maps")


def _head(bundle: Bundle, layout: Layout) -> tuple[tuple[int, ...], Scorer]:
    """The shape of one pooled vector, and a scorer of as many vectors as there are cells."""
    pooled = _pooled(find_feature_map(bundle.graph))
    shape = tuple(int(side.get_length()) for side in list(pooled.partial_shape)[1:])
    graph, estimator = graph_beyond(bundle.graph, pooled), bundle.estimator
    if estimator is None:
        return shape, _graph_scorer(graph, layout.cells)
    features = _engine(graph, layout.cells)
    score = _estimator_scorer(estimator, layout.cells, bundle.manifest.recipe.get("model"))
    return shape, lambda vectors: score(next(features.run([vectors])))


def _estimator_scorer(estimator: Estimator, count: int, model: object) -> Scorer:
    if isinstance(estimator, GraphEstimator):
        return _graph_scorer(estimator.graph, count, min_prob=min_probability(model))
    runner = estimator.runner(count)
    return lambda vectors: centred_logits(next(iter(runner.run([vectors]))), min_prob=min_probability(model))


def _graph_scorer(graph: Graph, count: int, *, min_prob: float = MIN_PROB) -> Scorer:
    """Score by the graph's logits where it ends in a softmax, so that confident cells are not saturated."""
    logits = _logits(graph)
    if logits is None:
        engine = _engine(graph, count)
        return lambda vectors: centred_logits(next(engine.run([vectors])), min_prob=min_prob)
    engine = _engine(graph_up_to(graph, logits), count)
    return lambda vectors: subtract_mean(next(engine.run([vectors])))


def _engine(graph: Graph, count: int) -> Engine:
    # float32 is fast enough here, and the scores of cells differ by less than those of images.
    return Engine(graph, batch=count, precision="float32", streams=False)


def _logits(graph: Graph) -> Node | None:
    """The input of the softmax at a graph's end, also before the mean over image and mirror image."""
    node = graph.get_results()[0].input_value(0).get_node()
    while node.get_type_name() in ("Multiply", "Add", "Split"):
        node = node.input_value(0).get_node()
    return node.input_value(0) if node.get_type_name() == "Softmax" else None


def _pooled(maps: Node) -> Node:
    users = (place.get_node() for place in maps.get_target_inputs())
    return next(user for user in users if user.get_type_name() in POOLINGS).output(0)
