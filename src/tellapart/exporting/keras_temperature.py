"""A temperature put into a Keras network by Keras's own layers alone, so that plain Keras and `adopt` open it."""

from collections.abc import Iterator
from typing import Any

import keras

from tellapart.errors import BundleError

layers = keras.layers
Tensor = Any
"""A tensor of Keras: it has no types."""


def with_temperature(network: keras.Model, temperature: float) -> keras.Model:
    """The same network, its last softmax taken of logits / T. Raises BundleError where it ends in no softmax."""
    if temperature == 1:
        return network
    logits = _logits(network.outputs[0], {})
    if logits is None:
        raise BundleError(
            f"its network ends in {_last(network.outputs[0])[0].name}, not in a softmax, so that its temperature of "
            f"{temperature:.3f} cannot be put in by layers: export it to savedmodel, onnx, litert or openvino"
        )
    cooled = layers.Rescaling(1 / temperature, name="temperature", dtype="float32")(logits)
    return keras.Model(network.inputs[0], layers.Softmax(name="calibrated", dtype="float32")(cooled), name="calibrated")


def operations(network: keras.Model) -> list[str]:
    """The kinds of what a network consists of that is no layer, such as `Flip`."""
    return sorted({type(one).__name__ for one in _leaves(network) if not isinstance(one, keras.Layer)})


def _leaves(network: keras.Model) -> Iterator[keras.Operation]:
    for one in network.operations:
        if isinstance(one, keras.Model):
            yield from _leaves(one)
        else:
            yield one


def _last(tensor: Tensor) -> tuple[keras.Operation, list[Tensor]]:
    """What gives a tensor, and what that is given."""
    history = tensor._keras_history
    return history.operation, history.operation._inbound_nodes[history.node_index].input_tensors


def _logits(tensor: Tensor, inner: dict[int, keras.Model | None]) -> Tensor | None:
    """What the softmax behind some probabilities is of, up to a number that is the same for all classes.

    `inner` are the models within the network that were already cut, each once however often it is called.
    """
    layer, given = _last(tensor)
    if isinstance(layer, keras.Model):
        if id(layer) not in inner:
            cut = _logits(layer.outputs[0], inner)
            inner[id(layer)] = None if cut is None else keras.Model(layer.inputs[0], cut, name=f"{layer.name}_logits")
        model = inner[id(layer)]
        return None if model is None else model(given[0], training=False)
    if isinstance(layer, layers.Average) and len(given) == 2:
        return _of_mean(*(_logits(one, inner) for one in given))
    if isinstance(layer, layers.Softmax):
        return given[0]
    if getattr(layer, "activation", None) is not keras.activations.softmax:
        return None
    if isinstance(layer, layers.Activation):
        return given[0]
    plain = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    logits = plain(given[0])
    plain.set_weights(layer.get_weights())
    return logits


def _of_mean(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """The logarithm of the sum of two softmaxes: log(p + q) = log p + log(1 + exp(log q - log p))."""
    if first is None or second is None:
        return None
    one, other = (layers.Activation("log_softmax", dtype="float32")(logits) for logits in (first, second))
    more = layers.Activation("softplus", dtype="float32")(layers.Subtract(dtype="float32")([other, one]))
    return layers.Add(dtype="float32")([one, more])
