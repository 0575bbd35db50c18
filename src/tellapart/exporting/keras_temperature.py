"""Temperature scaling in Keras's own layers, so that plain Keras and `tellapart import` can load the network."""

from collections.abc import Iterator
from typing import Any

import keras

from tellapart.errors import BundleError

layers = keras.layers
Tensor = Any
"""A Keras tensor, which is untyped."""


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
