"""Walk through a Keras model from its input to its first trained layer, for the scaling that it does itself."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tellapart.models.importing.own_scaling import OwnScaling, by_channel, formula
from tellapart.models.networks import Tensor

Operation = Any
"""A layer or an operation of Keras, its node in a model, or the graph of nodes; Keras has no types for them."""
NO_CHANGE = (
    *("Activation", "CenterCrop", "Cropping2D", "Dropout", "ExpandDims", "Flatten", "GaussianDropout", "GaussianNoise"),
    *("Identity", "InputLayer", "Permute", "Reshape", "Resizing", "Transpose", "ZeroPadding2D"),
)
"""Operations that leave values as they are; random layers do so too, outside training."""
MAX_STEPS = 50


def find_own_scaling(model: keras.Model) -> OwnScaling:
    """Walk from a model's input to its first trained layer, also into the models within it."""
    own, _ = _walk(OwnScaling(), model)
    return own


def _walk(own: OwnScaling, model: keras.Model) -> tuple[OwnScaling, bool]:
    """Follow the only use of each tensor; also return whether the model's output was reached."""
    graph = getattr(model, "_functional", None) or model  # of Sequential
    tensor = graph.inputs[0]
    for _ in range(MAX_STEPS):
        nodes = [*_uses(graph, tensor)]
        if (stacked := _stacked_in_reverse(graph, nodes)) is not None:
            own, tensor = own.reversed(f"layer {stacked._keras_history.operation.name}"), stacked
            continue
        if len(nodes) != 1:
            return own, any(tensor is output for output in graph.outputs)
        (node,) = nodes
        if isinstance(node.operation, keras.Model):
            own, passed = _walk(own, node.operation)
            step: OwnScaling | None = own if passed else None
        else:
            step = _after(own, node.operation, node.arguments.args, tensor)
        if step is None or len(node.output_tensors) != 1:
            return own, False
        own, tensor = step, node.output_tensors[0]
    return own, False


def _uses(graph: Operation, tensor: Tensor) -> Iterator[Operation]:
    for nodes in graph._nodes_by_depth.values():
        for node in nodes:
            if any(tensor is used for used in node.input_tensors):
                yield node


def _after(own: OwnScaling, operation: Operation, args: tuple[Any, ...], tensor: Tensor) -> OwnScaling | None:
    """Add an operation; None if it does more than scale."""
    kind, name = type(operation).__name__, operation.name
    if kind in NO_CHANGE or kind.startswith("Random"):
        is_linear = kind != "Activation" or operation.activation.__name__ == "linear"
        return own if is_linear else None
    if _reverses_channels(kind, operation, args):
        return own.reversed(f"layer {name}")
    affine = _affine(kind, operation, args, tensor)
    if affine is None:
        return None
    slope, offset = (by_channel(numbers) for numbers in affine)
    if slope is None or offset is None:
        return None
    if np.all(np.equal(slope, 1)) and not np.any(offset):
        return own
    return own.then(f"layer {name}: {formula(slope, offset)}", slope, offset)


def _stacked_in_reverse(graph: Operation, nodes: list[Operation]) -> Tensor | None:
    """Return the tensor that puts the last channel first: the stack of [..., 2], [..., 1] and [..., 0]."""
    keys = [node.arguments.args[1:] for node in nodes if type(node.operation).__name__ == "GetItem"]
    uses = [use for node in nodes for use in _uses(graph, node.output_tensors[0])]
    if len(nodes) != 3 or len(keys) != 3 or len(uses) != 3 or any(use is not uses[0] for use in uses):
        return None
    last = [key[0][-1] if key and isinstance(key[0], tuple | list) else None for key in keys]
    order = [
        key
        for part in uses[0].input_tensors
        for node, key in zip(nodes, last, strict=True)
        if node.output_tensors[0] is part
    ]
    is_stack = type(uses[0].operation).__name__ == "Stack"
    stacked: Tensor = uses[0].output_tensors[0]
    return stacked if is_stack and order == [2, 1, 0] else None


def _affine(kind: str, operation: Operation, args: tuple[Any, ...], tensor: Tensor) -> tuple[Any, Any] | None:
    """Return slope and offset of an operation; None if it has none."""
    if kind == "Rescaling":
        return operation.scale, operation.offset
    if kind == "Normalization" and operation.mean is not None:
        mean, deviation = np.asarray(operation.mean), np.sqrt(np.asarray(operation.variance))
        deviation = np.maximum(deviation, keras.config.epsilon())
        return (deviation, mean) if operation.invert else (1 / deviation, -mean / deviation)
    if kind == "Negative":
        return -1.0, 0.0
    if len(args) != 2 or isinstance(args[0], keras.KerasTensor) == isinstance(args[1], keras.KerasTensor):
        return None
    first = args[0] is tensor
    number = np.asarray(args[1] if first else args[0], np.float64)
    if kind in ("Divide", "TrueDivide"):
        return (1 / number, 0.0) if first and number.all() else None
    results: dict[str, tuple[Any, Any]] = {
        "Multiply": (number, 0.0),
        "Add": (1.0, number),
        "Subtract": (1.0, -number) if first else (-1.0, number),
    }
    return results.get(kind)


def _reverses_channels(kind: str, operation: Operation, args: tuple[Any, ...]) -> bool:
    if kind == "Flip":
        return operation.axis in (-1, 3)
    if kind == "Take":
        indices = args[1] if len(args) > 1 else getattr(operation, "indices", None)
        return np.array_equal(np.asarray(indices), [2, 1, 0]) and operation.axis in (-1, 3)
    key = args[1] if kind == "GetItem" and len(args) > 1 else None
    return isinstance(key, tuple | list) and len(key) > 1 and key[-1] == slice(None, None, -1)
