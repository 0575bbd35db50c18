"""From Keras models to OpenVINO graphs, and two graphs to one."""

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


def joined(base: Graph, head: Graph) -> Graph:
    """One graph of two, each left as it is: what the base gives is what the head takes."""
    import openvino

    base, head = base.clone(), head.clone()
    seam = base.get_results()[0].input_value(0)
    head.get_parameters()[0].output(0).replace(seam)
    return openvino.Model(head.get_results(), base.get_parameters(), "classifier")
