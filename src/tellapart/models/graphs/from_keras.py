"""From Keras models to OpenVINO graphs."""

import warnings
from typing import Any

import keras
import numpy as np

from tellapart.engine import Graph, core

Operations = Any
"""An opset of OpenVINO: the package has no types, so neither have these two."""
Node = Any


def to_graph(network: keras.Model) -> Graph:
    """Convert a Keras model of one input and one output: the same names, dtypes and shapes, batch left open."""
    core()
    import openvino

    _repair_version_lookup()
    with warnings.catch_warnings():
        # Keras remarks that OpenVINO's tracer calls the model with a list of one tensor
        warnings.filterwarnings("ignore", message="The structure of `inputs`", category=UserWarning)
        return openvino.convert_model(network)


def _repair_version_lookup() -> None:
    """Let OpenVINO convert Keras models on Python 3.13 and later.

    Before it converts an object of TensorFlow, `openvino.convert_model` looks up TensorFlow's version in a function
    that calls `exec("import tensorflow")` and then `exec("del tensorflow")`. Since Python 3.13 each call of `exec` in
    a function gets a new copy of the local names (PEP 667), so the second one raises NameError. Only that function is
    replaced, and only where it fails: once OpenVINO no longer has the bug, nothing is replaced.
    See https://github.com/openvinotoolkit/openvino/pull/32482.
    """
    import tensorflow as tf

    try:
        from openvino.frontend.tensorflow import utils

        utils.get_environment_setup("tf")
    except NameError:
        utils.get_environment_setup = lambda _: {"tensorflow": tf.__version__}
    except (ImportError, AttributeError):  # a later OpenVINO looks the version up elsewhere
        pass


def _reversed(op: Operations, images: Node) -> Node:
    """Left and right exchanged: from the last column to the first, by steps of -1."""
    last, before_first = op.constant([-1]), op.constant([np.iinfo(np.int64).min])
    return op.slice(images, last, before_first, op.constant([-1]), op.constant([2]))


def mirrored(graph: Graph) -> Graph:
    """The mean of what a graph says of images (n, height, width, channels) and of their mirror images."""
    import openvino
    from openvino import opset13 as op

    graph = graph.clone()
    (inner,) = graph.get_parameters()
    images = op.parameter(inner.partial_shape, inner.element_type, name="pictures")
    both = op.concat([images, _reversed(op, images)], 0)
    inner.output(0).replace(both.output(0))
    halves = op.split(graph.get_results()[0].input_value(0), op.constant(0), 2)
    mean = op.multiply(op.add(halves.output(0), halves.output(1)), op.constant(np.float32(0.5)))
    return openvino.Model([op.result(mean)], [images], "mirrored")
