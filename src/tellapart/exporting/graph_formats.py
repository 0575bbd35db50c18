"""Export to OpenVINO and ONNX: one graph from images to calibrated probabilities. Estimators need no Keras."""

from pathlib import Path

from tellapart.bundles.bundle import Bundle
from tellapart.engine import Graph, write_graph
from tellapart.errors import require
from tellapart.exporting import keras_formats
from tellapart.exporting.pixel_recipe import embedded_metadata
from tellapart.models.classical.estimators import GraphEstimator
from tellapart.models.graphs.surgery import first_output, join_head


def full_graph(bundle: Bundle) -> Graph:
    """Join the bundle's graph and its estimator's, without the OOD score.

    It maps uint8 (n, height, width, channels) to float32 (n, classes).
    """
    graph = first_output(bundle.graph).clone()
    if isinstance(bundle.estimator, GraphEstimator):
        graph = join_head(graph, first_output(bundle.estimator.graph))
    graph.input(0).get_tensor().set_names({"pictures"})
    graph.output(0).get_tensor().set_names({"probabilities"})
    return graph


def write_openvino(bundle: Bundle, path: Path) -> None:
    """Write `model.xml` and `model.bin`."""
    write_graph(full_graph(bundle), path)


def write_onnx(bundle: Bundle, path: Path) -> None:
    """Write an ONNX model: a network through Keras, an estimator operation by operation. It names the classes."""
    onnx = require("onnx", extra="onnx")
    if bundle.estimator is None:
        keras_formats.write_onnx(bundle, path)
        model = onnx.load(path)
    else:
        from tellapart.exporting.onnx_graph import to_onnx

        model = to_onnx(full_graph(bundle))
    onnx.helper.set_model_props(model, embedded_metadata(bundle))
    onnx.save(model, path)
