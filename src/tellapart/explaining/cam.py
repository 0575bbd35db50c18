"""Class activation maps without Keras: a network's last feature map, each cell asked by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundles.bundle import Bundle
from tellapart.data.image import ImageArray
from tellapart.engine import Engine, Graph
from tellapart.errors import BundleError
from tellapart.explaining.centred_logits import SMALLEST, Heat, centred, centred_logits, smallest
from tellapart.models.classical.estimators import Estimator, Formula
from tellapart.models.graphs.graph_surgery import POOLINGS, beyond, feature_map, rows_each, spatial_axes, up_to

Node = Any
"""An operation or an output of one: OpenVINO has no types, so neither has this."""
Evidence = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""From vectors, float32 (n, ...), to the evidence for each class, (n, classes)."""


@dataclass(frozen=True)
class Layout:
    """A feature map's cells: how many, on which axes, and how many maps an image has (2 where it is mirrored)."""

    rows: int
    columns: int
    axes: tuple[int, int]
    each: int


def layout_of(graph: Graph) -> Layout | None:
    """The cells of what a graph pools last; None where it pools nothing, or a single cell."""
    maps, axes = feature_map(graph), spatial_axes(graph)
    if maps is None or axes is None or any(maps.partial_shape[axis].is_dynamic for axis in axes):
        return None
    rows, columns = (int(maps.partial_shape[axis].get_length()) for axis in axes)
    return Layout(rows, columns, axes, rows_each(graph)) if rows * columns > 1 else None


class Cam:
    """Maps of a bundle whose network ends in pooling. Lives as long as images come; safe for several threads.

    What lies beyond the pooling is asked about each cell's vector as if the whole image were like that cell. For a
    linear head that is the last feature map times the class's weights, less the mean class's: a class activation map.
    With inner layers, neighbours or trees it is the same question, and no longer a sum over the cells.
    Source: Zhou et al., Learning deep features for discriminative localization (2016), section 2.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Compile both parts. Raises BundleError where nothing is pooled."""
        layout = layout_of(bundle.graph)
        if layout is None:
            raise BundleError(
                f"{bundle.folder} has no class activation map: its classifier does not end in the mean over a feature "
                f"map. Use the method occlusion, which works on any, or gradcam"
            )
        self._layout = layout
        self._maps = Engine(_flat_maps(bundle.graph), batch=1, precision=bundle.precision, streams=False)
        self._shape, self._evidence = _head(bundle, layout)

    def __call__(self, image: ImageArray, index: int) -> Heat:
        """How much each cell speaks for a class, by its index: float32 (rows, columns), of any range."""
        layout = self._layout
        (flat,) = self._maps.run([image[np.newaxis]])
        maps = flat.reshape(layout.each, layout.rows * layout.columns, -1)
        scores = np.stack([self._scores(cells, index) for cells in maps])
        if layout.each == 2:
            scores[1] = scores[1, :, ::-1]  # of the mirror image, turned back
        heat: Heat = scores.mean(axis=0)
        return heat

    def _scores(self, cells: NDArray[np.float32], index: int) -> Heat:
        both = np.concatenate([cells] * self._layout.each)  # as image and as mirror image alike
        column = self._evidence(both.reshape(-1, *self._shape))[: len(cells), index]
        return column.reshape(self._layout.rows, self._layout.columns).astype(np.float32)


def _flat_maps(graph: Graph) -> Graph:
    """Images to their feature maps, a cell after the other: float32 (1, each * rows * columns * channels)."""
    import openvino
    from openvino import opset13 as op

    part = up_to(graph, feature_map(graph))
    end = part.get_results()[0].input_value(0)
    if spatial_axes(graph) == (2, 3):
        end = op.transpose(end, op.constant([0, 2, 3, 1])).output(0)
    flat = op.reshape(end, op.constant([1, -1]), special_zero=False)
    return openvino.Model([flat], part.get_parameters(), "feature maps")


def _head(bundle: Bundle, layout: Layout) -> tuple[tuple[int, ...], Evidence]:
    """The shape of what is pooled of one image, and the evidence for as many of these as there are cells."""
    pooled = _pooled(feature_map(bundle.graph))
    shape = tuple(int(side.get_length()) for side in list(pooled.partial_shape)[1:])
    count, graph, estimator = layout.each * layout.rows * layout.columns, beyond(bundle.graph, pooled), bundle.estimator
    if estimator is None:
        return shape, _asked(graph, count)
    vectors, answer = _engine(graph, count), _estimated(estimator, count, bundle.facts.recipe.get("model"))
    return shape, lambda rows: answer(next(vectors.run([rows])))


def _estimated(estimator: Estimator, count: int, model: object) -> Evidence:
    if isinstance(estimator, Formula):
        return _asked(estimator.graph, count, least=smallest(model))
    trees = estimator.runner(count)
    return lambda rows: centred_logits(next(iter(trees.run([rows]))), least=smallest(model))


def _asked(graph: Graph, count: int, *, least: float = SMALLEST) -> Evidence:
    """What a graph of vectors says: of its logits, where it ends in a softmax, so that no cell is too sure to tell."""
    logits = _logits(graph)
    if logits is None:
        engine = _engine(graph, count)
        return lambda rows: centred_logits(next(engine.run([rows])), least=least)
    engine = _engine(up_to(graph, logits), count)
    return lambda rows: centred(next(engine.run([rows])))


def _engine(graph: Graph, count: int) -> Engine:
    # float32, which costs nothing here: cells differ more than images do, and are told apart by less
    return Engine(graph, batch=count, precision="float32", streams=False)


def _logits(graph: Graph) -> Node | None:
    """What the softmax at a graph's end takes, were it that of images and mirror images before their mean."""
    node = graph.get_results()[0].input_value(0).get_node()
    while node.get_type_name() in ("Multiply", "Add", "Split"):
        node = node.input_value(0).get_node()
    return node.input_value(0) if node.get_type_name() == "Softmax" else None


def _pooled(maps: Node) -> Node:
    users = (place.get_node() for place in maps.get_target_inputs())
    return next(user for user in users if user.get_type_name() in POOLINGS).output(0)
