"""Translation of TensorFlow operations in models of Keras 2, such as `x / 127.5 - 1`, into Keras's own layers.

Keras 2 kept an operation on a tensor as a TFOpLambda, which names a function of TensorFlow and its arguments, as a
SlicingOpLambda, or, until TensorFlow 2.3, as a TensorFlowOpLayer with a node of a TensorFlow graph.
"""

import json
from dataclasses import dataclass
from typing import Any

from tellapart.errors import WeightsError
from tellapart.models.importing.config_check import safe_text

Json = Any
"""A value as JSON has it."""
Config = dict[str, Json]
Numbers = float | list[float]

OPERATIONS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
CONSTANT = "_CONSTANT_VALUE"
NODE_NAMES = {"RealDiv": "truediv", "Sub": "subtract", "Mul": "multiply", "Add": "add", "AddV2": "add"}
"""The operations of TensorFlowOpLayer, by the names that TFOpLambda has for them."""
ALIASES = {"divide": "truediv", "sub": "subtract", "mul": "multiply", "silu": "swish"}
MERGES = {"add": "Add", "subtract": "Subtract", "multiply": "Multiply"}
ACTIVATIONS = ("relu", "relu6", "softmax", "sigmoid", "tanh", "swish", "elu", "selu", "softplus")
REVERSED = {"start": None, "stop": None, "step": -1}
WHOLE = {"start": None, "stop": None, "step": None}
ELLIPSIS = {"class_name": "__ellipsis__"}
MAX_NUMBERS = 4096  # in a constant: one for each channel


@dataclass(frozen=True)
class Source:
    """An operand that is a tensor: the layer's name, its use and output."""

    node: list[Any]


def operation_as_layer(layer: Config) -> Config:
    """Return a layer of Keras 3 that computes the same as an operation. Raises WeightsError where there is none."""
    if layer["class_name"] == "TensorFlowOpLayer":
        function, operands, more = _of_node(layer)
    else:
        function, operands, more = _of_call(layer)
    kind, config = _layer(function, operands, more) or (None, {})
    if kind is None:
        raise _unknown(layer, function)
    module = "keras.src.ops.numpy" if kind == "Flip" else "keras.layers"
    name = layer.get("name")
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": name, **config},
        "registered_name": kind if kind == "Flip" else None,
        "name": name,
        "inbound_nodes": [[[*operand.node, {}] for operand in operands if isinstance(operand, Source)]],
    }


def _unknown(layer: Config, function: object) -> WeightsError:
    return WeightsError(
        f"layer {safe_text(layer.get('name'))} calculates with TensorFlow ({safe_text(function)}) in a way that is not "
        f"translated to Keras 3. Export the model as ONNX with the Keras that wrote it, or rebuild it from layers"
    )


def _of_call(layer: Config) -> tuple[str, list[object], Config]:
    """Read function, operands and further arguments of a TFOpLambda that is used once."""
    function, nodes = layer["config"].get("function"), layer.get("inbound_nodes")
    if not isinstance(function, str) or not isinstance(nodes, list) or len(nodes) != 1:
        raise _unknown(layer, function)
    node = nodes[0]
    if not isinstance(node, list) or len(node) != 4 or not isinstance(node[3], dict):
        raise _unknown(layer, function)
    more = {key: value for key, value in node[3].items() if value is not None and key != "name"}
    operands = [node[2] if node[0] == CONSTANT else Source(node[:3])]
    for key in ("y", "bias"):
        if key in more:
            operands.append(_operand(more.pop(key)))
    short = function.rsplit(".", 1)[-1]
    return ALIASES.get(short, short), operands, more


def _of_node(layer: Config) -> tuple[str, list[object], Config]:
    """Read function and operands of a TensorFlowOpLayer, whose constants are numbered among the operands."""
    node, nodes, constants = (
        layer["config"].get("node_def"),
        layer.get("inbound_nodes"),
        layer["config"].get("constants"),
    )
    try:
        node = json.loads(node) if isinstance(node, str) else node
        operands: list[object] = [Source(source[:3]) for source in nodes[0]]  # type: ignore[index]
        for index, value in sorted((int(index), value) for index, value in (constants or {}).items()):
            operands.insert(index, value)
        return NODE_NAMES.get(node["op"], str(node["op"])), operands, {}
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise _unknown(layer, "a node of a graph") from error


def _operand(value: object) -> object:
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        return Source(value)
    return value


def _layer(function: str, operands: list[object], more: Config) -> tuple[str, Config] | None:
    """Return class and configuration of the layer; None if the operation is not one of the known ones."""
    if function == "getitem":
        reverses = more.get("slice_spec") in ([ELLIPSIS, REVERSED], [WHOLE, WHOLE, WHOLE, REVERSED])
        return ("Flip", {"axis": -1}) if reverses else None
    if function == "bias_add":
        layout = more.pop("data_format", "NHWC")
        function = "add" if layout == "NHWC" else function
    if function == "cast":
        return ("Rescaling", {"scale": 1.0, "offset": 0.0}) if more.pop("dtype", None) == "float32" else None
    if function in ACTIVATIONS and len(operands) == 1 and more in ({}, {"axis": -1}, {"beta": 1.0}):
        return "Activation", {"activation": function}
    if more or len(operands) != 2:
        return None
    if all(isinstance(operand, Source) for operand in operands):
        return (MERGES[function], {}) if function in MERGES else None
    rescaling = _rescaling(function, *operands)
    return rescaling and ("Rescaling", {"scale": rescaling[0], "offset": rescaling[1]})


def _rescaling(function: str, left: object, right: object) -> tuple[Numbers, Numbers] | None:
    """Return scale and offset of arithmetic with a constant on either side."""
    numbers = _numbers(right if isinstance(left, Source) else left)
    if numbers is None:
        return None
    many = numbers if isinstance(numbers, list) else [numbers]
    if function == "add":
        return 1.0, numbers
    if function == "multiply":
        return numbers, 0.0
    if function == "subtract":
        return (1.0, _like(numbers, [-number for number in many])) if isinstance(left, Source) else (-1.0, numbers)
    if function == "truediv" and isinstance(left, Source) and all(many):
        return _like(numbers, [1 / number for number in many]), 0.0
    return None


def _like(numbers: Numbers, changed: list[float]) -> Numbers:
    return changed if isinstance(numbers, list) else changed[0]


def _numbers(value: Json) -> Numbers | None:
    """Read a number, or one for each channel, however many axes of length 1 precede; None for anything else."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    many = value if isinstance(value, list) else [value]
    if not 0 < len(many) <= MAX_NUMBERS or any(type(number) not in (int, float) for number in many):
        return None
    return [float(number) for number in many] if isinstance(value, list) else float(many[0])
