"""Export to OpenVINO and ONNX: one graph from images to calibrated probabilities. Estimators need no Keras."""

import tempfile
from pathlib import Path
from typing import Any

from tellapart.bundles.bundle import Bundle
from tellapart.engine import Graph, write_graph
from tellapart.errors import require
from tellapart.exporting import keras_formats
from tellapart.exporting.pixel_recipe import embedded_metadata
from tellapart.models.classical.estimators import GraphEstimator
from tellapart.models.graphs.surgery import first_output, join_head

OnnxModel = Any
"""A model of ONNX, which is untyped."""


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


def write_openvino_any_size(bundle: Bundle, path: Path) -> None:
    """Write `model.xml` and `model.bin` for images of any size; TensorFlow describes the resizing."""
    import openvino

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        tf = require("tensorflow", extra="train")
        module = tf.Module()
        module.resize = _resizing_function(bundle)
        tf.saved_model.save(module, folder, signatures=module.resize)
        graph = join_head(openvino.convert_model(folder), full_graph(bundle))
        graph.input(0).get_tensor().set_names({"pictures"})
        write_graph(graph, path)


def write_onnx(bundle: Bundle, path: Path, *, any_size: bool = False) -> None:
    """Write an ONNX model: a network through Keras, an estimator operation by operation. It names the classes."""
    onnx = require("onnx", extra="onnx")
    if bundle.estimator is None:
        keras_formats.write_onnx(bundle, path, any_size=any_size)
        model = onnx.load(path)
    else:
        from tellapart.exporting.onnx_graph import to_onnx

        model = to_onnx(full_graph(bundle))
        model = _after_resizing(bundle, model, path) if any_size else model
    onnx.helper.set_model_props(model, embedded_metadata(bundle))
    onnx.save(model, path)


def _after_resizing(bundle: Bundle, model: OnnxModel, path: Path) -> OnnxModel:
    """Join the resizing, written to `path` on the way, and a model."""
    onnx = require("onnx", extra="onnx")
    keras_formats.write_onnx_function(_resizing_function(bundle), keras_formats.input_spec(bundle, any_size=True), path)
    resizing = onnx.load(path)
    resizing.ir_version = model.ir_version
    return onnx.compose.merge_models(resizing, model, io_map=[("resized", "pictures")])


def _resizing_function(bundle: Bundle) -> keras_formats.Function:
    """Return the resizing of images of any size as a function of TensorFlow."""
    tf, resize = require("tensorflow", extra="train"), keras_formats.resizing(bundle)
    spec = keras_formats.input_spec(bundle, any_size=True)
    return tf.function(lambda images: {"resized": resize(images)}, input_signature=[spec])
