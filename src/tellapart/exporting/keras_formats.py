"""Export through Keras and TensorFlow: the bundle's Keras network with its temperature."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.keras_network import load_network
from tellapart.errors import BundleError, require
from tellapart.models.graphs.surgery import MIN_PROB

if TYPE_CHECKING:
    import keras

from collections.abc import Iterator

import keras

layers = keras.layers
Tensor = Any
"""A Keras tensor, which is untyped."""
ONNX_OPSET = 18
"""A TensorFlow tensor, which is untyped, like the specification below."""
TensorSpec = Any


def add_temperature(network: keras.Model, temperature: float) -> keras.Model:
    """Return the network with its last softmax applied to logits / T. Raises BundleError if it does not end in one."""
    if temperature == 1:
        return network
    logits = _logits(network.outputs[0], {})
    if logits is None:
        raise BundleError(
            f"its network ends in {_last_operation(network.outputs[0])[0].name}, not in a softmax, so its temperature "
            f"of {temperature:.3f} cannot be added as layers: export it to savedmodel, onnx, litert or openvino"
        )
    scaled = layers.Rescaling(1 / temperature, name="temperature", dtype="float32")(logits)
    return keras.Model(network.inputs[0], layers.Softmax(name="calibrated", dtype="float32")(scaled), name="calibrated")


def non_layer_operations(network: keras.Model) -> list[str]:
    """Return the names of a network's operations that are not layers, such as `Flip`."""
    return sorted(
        {type(operation).__name__ for operation in _leaves(network) if not isinstance(operation, keras.Layer)}
    )


def _leaves(network: keras.Model) -> Iterator[keras.Operation]:
    for operation in network.operations:
        if isinstance(operation, keras.Model):
            yield from _leaves(operation)
        else:
            yield operation


def _last_operation(tensor: Tensor) -> tuple[keras.Operation, list[Tensor]]:
    """Return the operation that computes a tensor, and its inputs."""
    history = tensor._keras_history
    return history.operation, history.operation._inbound_nodes[history.node_index].input_tensors


def _logits(tensor: Tensor, submodels: dict[int, keras.Model | None]) -> Tensor | None:
    """Return the logits of the softmax that computes some probabilities, up to a constant shared by all classes.

    `submodels` maps nested models to their versions without softmax, which are shared between calls.
    """
    layer, inputs = _last_operation(tensor)
    if isinstance(layer, keras.Model):
        if id(layer) not in submodels:
            logits = _logits(layer.outputs[0], submodels)
            submodels[id(layer)] = (
                None if logits is None else keras.Model(layer.inputs[0], logits, name=f"{layer.name}_logits")
            )
        model = submodels[id(layer)]
        return None if model is None else model(inputs[0], training=False)
    if isinstance(layer, layers.Average) and len(inputs) == 2:
        return _log_sum(*(_logits(branch, submodels) for branch in inputs))
    if isinstance(layer, layers.Softmax):
        return inputs[0]
    if getattr(layer, "activation", None) is not keras.activations.softmax:
        return None
    if isinstance(layer, layers.Activation):
        return inputs[0]
    linear = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    logits = linear(inputs[0])
    linear.set_weights(layer.get_weights())
    return logits


def _log_sum(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Return the logarithm of the sum of two softmaxes: log(p + q) = log p + log(1 + exp(log q - log p))."""
    if first is None or second is None:
        return None
    log_p, log_q = (layers.Activation("log_softmax", dtype="float32")(logits) for logits in (first, second))
    increase = layers.Activation("softplus", dtype="float32")(layers.Subtract(dtype="float32")([log_q, log_p]))
    return layers.Add(dtype="float32")([log_p, increase])


def temperature_of(bundle: Bundle) -> float:
    """Return the temperature that is in the bundle's graph but not in its `model.keras`; 1 if there is none."""
    return float(bundle.manifest.calibration["temperature"]) if bundle.manifest.calibration else 1.0


def write_keras(bundle: Bundle, path: Path) -> None:
    """Write a .keras file of Keras's own layers. Raises BundleError if the temperature cannot be added as layers."""
    _with_temperature(bundle).save(path)


def write_h5(bundle: Bundle, path: Path) -> None:
    """Write an .h5 file. Raises BundleError, also if the network has operations outside layers."""
    network = _with_temperature(bundle)
    from tellapart.exporting.keras_formats import non_layer_operations

    if operations := non_layer_operations(network):
        raise BundleError(
            f"{bundle.folder} cannot be an .h5 file, which stores layers only: Keras could not load {operations[0]} "
            f"from it. Export it to keras"
        )
    network.save(path)


def write_saved_model(bundle: Bundle, path: Path) -> None:
    """Write a TensorFlow SavedModel with one signature, from images to probabilities."""
    network = load_network(bundle)
    import keras

    archive = keras.export.ExportArchive()
    archive.add_endpoint(
        "serve", _serving_function(network, temperature_of(bundle)), input_signature=[_input_spec(bundle)]
    )
    archive.write_out(str(path), verbose=False)


def write_litert(bundle: Bundle, path: Path) -> None:
    """Write a .tflite file in float32, through a SavedModel."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        write_saved_model(bundle, Path(folder, "saved"))
        tf = require("tensorflow", extra="train")
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(Path(folder, "saved"))).convert())


def write_onnx(bundle: Bundle, path: Path) -> None:
    """Write an ONNX model in float32."""
    network, spec = load_network(bundle), _input_spec(bundle)
    tf, convert = (require(name, extra="onnx") for name in ("tensorflow", "tf2onnx.convert"))
    function = tf.function(_serving_function(network, temperature_of(bundle)), input_signature=[spec])
    model, _ = convert.from_function(function, input_signature=[spec], opset=ONNX_OPSET)
    path.write_bytes(model.SerializeToString())


def _with_temperature(bundle: Bundle) -> "keras.Model":
    network = load_network(bundle)
    from tellapart.exporting.keras_formats import add_temperature

    return add_temperature(network, temperature_of(bundle))


def _serving_function(network: "keras.Model", temperature: float) -> Callable[[Tensor], dict[str, Tensor]]:
    """Return the function to export; it applies the temperature like `models.graphs.graph_heads`."""
    from keras import ops

    def predict(images: Tensor) -> dict[str, Tensor]:
        probabilities = ops.cast(network(images, training=False), "float32")
        if temperature != 1:
            probabilities = ops.softmax(ops.log(ops.maximum(probabilities, MIN_PROB)) / temperature)
        return {"probabilities": probabilities}

    return predict


def _input_spec(bundle: Bundle) -> TensorSpec:
    tf, shape = require("tensorflow", extra="train"), bundle.preprocessing
    return tf.TensorSpec((None, shape.height, shape.width, shape.channels), tf.uint8, name="pictures")
