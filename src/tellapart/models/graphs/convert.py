"""Conversion of Keras models to OpenVINO graphs."""

import warnings

import keras

from tellapart.engine import Graph, core


def to_graph(network: keras.Model) -> Graph:
    """Convert a Keras model of one input and one output: same names, dtypes and shapes, with a dynamic batch."""
    core()
    import openvino

    _repair_version_lookup()
    with warnings.catch_warnings():
        # Keras warns that OpenVINO's tracer calls the model with a list of one tensor.
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
