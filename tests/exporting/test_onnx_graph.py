"""Converted ONNX operations compute the same as those of OpenVINO."""

from collections.abc import Callable

import keras
import numpy as np
import onnxruntime
import pytest

from tellapart.engine import Engine, Graph, core
from tellapart.errors import BundleError
from tellapart.exporting.onnx_graph import to_onnx
from tellapart.models.graphs.convert import to_graph
from tellapart.models.graphs.estimator_graphs import linear_graph, pixel_graph, voting_graph
from tellapart.models.graphs.surgery import add_temperature, join_head

from .bundle_fixtures import SIDE, layers, softmax_network

IMAGES = np.random.default_rng(0).integers(0, 256, (7, SIDE, SIDE, 3), dtype=np.uint8)


def onnx_probs(graph: Graph, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(to_onnx(graph).SerializeToString(), providers=["CPUExecutionProvider"])
    (probs,) = session.run(["probabilities"], {"pictures": images})
    return np.asarray(probs)


def openvino_probs(graph: Graph, images: np.ndarray) -> np.ndarray:
    return next(Engine(graph, batch=len(images), precision="float32").run([images]))


def test_convolutions_pooling_and_a_temperature() -> None:
    graph = add_temperature(to_graph(softmax_network()), 3.0)
    kinds = {operation.get_type_name() for operation in graph.get_ops()}
    assert {"Convolution", "GroupConvolution", "MaxPool", "Transpose", "Log"} <= kinds
    np.testing.assert_allclose(onnx_probs(graph, IMAGES), openvino_probs(graph, IMAGES), atol=1e-5)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_and_strides(padding: str, stride: int) -> None:
    keras.utils.set_random_seed(1)
    images = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    maps = layers.Rescaling(1 / 255)(images)
    maps = layers.Conv2D(4, 3, strides=stride, padding=padding)(maps)
    maps = layers.MaxPooling2D(3, strides=stride, padding=padding)(maps)
    graph = to_graph(keras.Model(images, layers.GlobalAveragePooling2D()(maps)))
    np.testing.assert_allclose(onnx_probs(graph, IMAGES), openvino_probs(graph, IMAGES), atol=1e-5)


def test_neighbours_vote_equally_with_ties_in_distance() -> None:
    known = np.random.default_rng(1).integers(0, 3, (50, 48)).astype(np.float32)  # many at the same distance
    head = voting_graph(known, (np.arange(50) % 4).astype(np.int32), 4, neighbours=7)
    graph = join_head(pixel_graph(4, 4, 3), head)
    images = np.concatenate([known[:9], known[:9] + 1]).astype(np.uint8).reshape(-1, 4, 4, 3)
    probs = onnx_probs(graph, images)
    np.testing.assert_allclose(probs, openvino_probs(graph, images), atol=1e-5)
    assert (probs[:9].argmax(axis=1) == np.arange(9) % 4).all()


def test_a_matrix_product() -> None:
    rng = np.random.default_rng(2)
    centre, scale = rng.normal(100, 9, 48).astype(np.float32), rng.uniform(30, 60, 48).astype(np.float32)
    head = linear_graph(centre, scale, rng.normal(0, 1, (3, 48)).astype(np.float32), np.ones(3, np.float32))
    graph = join_head(pixel_graph(4, 4, 3), head)
    np.testing.assert_allclose(
        onnx_probs(graph, IMAGES[:, :4, :4]), openvino_probs(graph, IMAGES[:, :4, :4]), atol=1e-5
    )


def unknown_operation() -> Graph:
    core()
    import openvino
    from openvino import opset13 as ops

    images = ops.parameter([-1, 4], np.uint8, name="pictures")
    return openvino.Model([ops.sinh(ops.convert(images, "f32"))], [images], "odd")


def computed_shape() -> Graph:
    core()
    import openvino
    from openvino import opset13 as ops

    images = ops.parameter([-1, 4], np.uint8, name="pictures")
    shape = ops.shape_of(images)
    return openvino.Model([ops.reshape(ops.convert(images, "f32"), shape, special_zero=True)], [images], "odd")


@pytest.mark.parametrize(("make", "message"), [(unknown_operation, "operation Sinh"), (computed_shape, "openvino")])
def test_an_unsupported_operation_is_refused_by_name(make: Callable[[], Graph], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        to_onnx(make())
