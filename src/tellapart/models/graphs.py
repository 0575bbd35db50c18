"""From a Keras model to an OpenVINO graph."""

import warnings

import keras

from tellapart.engine import Graph, core


def to_graph(network: keras.Model) -> Graph:
    """Convert a Keras model of one input and one output: the same names, dtypes and shapes, batch left open."""
    core()
    import openvino

    with warnings.catch_warnings():
        # Keras remarks that OpenVINO's tracer calls the model with a list of one tensor
        warnings.filterwarnings("ignore", message="The structure of `inputs`", category=UserWarning)
        return openvino.convert_model(network)
