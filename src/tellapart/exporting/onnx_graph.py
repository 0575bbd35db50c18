"""An OpenVINO graph as an ONNX model, operation by operation: those that estimators and common bases consist of."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.engine import Graph
from tellapart.errors import BundleError, require

OPSET = 18
IR_VERSION = 10  # what goes with the opset: onnxruntime refuses a newer one than it knows
Operation = Any
"""An operation of an OpenVINO graph, or what one gives. It has no type, nor has what is ONNX's below."""
Node = Any
Model = Any
Attribute = Any
Names = Sequence[str]


class _Nodes:
    """The nodes made so far, in an order in which they can be computed, and the constants. Lives for one graph."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: list[Any] = []
        self._onnx = require("onnx", extra="onnx")

    def add(self, kind: str, inputs: Names, outputs: int = 1, **attributes: Attribute) -> list[str]:
        """One node; the names of what it gives."""
        names = [f"{kind.lower()}_{len(self.nodes)}_{place}" for place in range(outputs)]
        self.nodes.append(self._onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def constant(self, values: NDArray[Any]) -> str:
        """An array's name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def to_onnx(graph: Graph) -> Model:
    """The same graph for ONNX, in float32: one input `images`, one output `probabilities`. Raises BundleError."""
    onnx, made = require("onnx", extra="onnx"), _Nodes()
    names: dict[tuple[str, int], str] = {}
    for one in graph.get_ordered_ops():
        kind = one.get_type_name()
        if kind == "Result":
            continue
        given = [names[source.get_node().get_name(), source.get_index()] for source in one.input_values()]
        for place, name in enumerate(_translated(made, one, kind, given)):
            names[one.get_name(), place] = name
    answer = graph.get_results()[0].input_value(0)
    made.nodes.append(
        onnx.helper.make_node("Identity", [names[answer.get_node().get_name(), answer.get_index()]], ["probabilities"])
    )
    images = _value("pictures", onnx.TensorProto.UINT8, graph.input(0))
    answers = _value("probabilities", onnx.TensorProto.FLOAT, graph.output(0))
    whole = onnx.helper.make_graph(made.nodes, "classifier", [images], [answers], made.constants)
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(whole, opset_imports=opsets, ir_version=IR_VERSION, producer_name="tellapart")
    onnx.checker.check_model(model)
    return model


def _value(name: str, kind: int, output: Operation) -> Node:
    shape = ["n", *(side.get_length() for side in list(output.get_partial_shape())[1:])]
    return require("onnx", extra="onnx").helper.make_tensor_value_info(name, kind, shape)


def _translated(made: _Nodes, one: Operation, kind: str, given: Names) -> list[str]:
    if kind == "Parameter":
        return ["pictures"]
    if kind == "Constant":
        return [made.constant(one.get_data())]
    if kind in AS_IT_IS:
        return made.add(AS_IT_IS[kind], given)
    if kind not in TRANSLATED:
        raise BundleError(
            f"the bundle's graph holds {kind}, which has no counterpart here for ONNX: export to openvino"
        )
    return TRANSLATED[kind](made, one, given)


def _constant_of(one: Operation, place: int) -> NDArray[Any]:
    """The value of an input that must be a constant. Raises BundleError."""
    source = one.input_value(place).get_node()
    if source.get_type_name() != "Constant":
        raise BundleError(f"{one.get_type_name()} of the bundle's graph is computed in part: export it to openvino")
    data: NDArray[Any] = source.get_data()
    return data


def _whole_numbers(made: _Nodes, values: NDArray[Any]) -> str:
    """Axes and shapes as ONNX wants them: int64 (n,)."""
    return made.constant(np.atleast_1d(values).astype(np.int64))


def _convert(made: _Nodes, one: Operation, given: Names) -> list[str]:
    onnx = require("onnx", extra="onnx")
    kind = np.dtype(one.get_element_type().to_dtype())
    return made.add("Cast", given, to=onnx.helper.np_dtype_to_tensor_dtype(kind))


def _reshape(made: _Nodes, one: Operation, given: Names) -> list[str]:
    shape = _whole_numbers(made, _constant_of(one, 1))
    return made.add("Reshape", [given[0], shape], allowzero=0 if one.get_attributes()["special_zero"] else 1)


def _by_axes(kind: str) -> "Translate":
    def reduce(made: _Nodes, one: Operation, given: Names) -> list[str]:
        axes = _whole_numbers(made, _constant_of(one, 1))
        return made.add(kind, [given[0], axes], keepdims=int(one.get_attributes()["keep_dims"]))

    return reduce


def _unsqueeze(made: _Nodes, one: Operation, given: Names) -> list[str]:
    return made.add("Unsqueeze", [given[0], _whole_numbers(made, _constant_of(one, 1))])


def _transpose(made: _Nodes, one: Operation, given: Names) -> list[str]:
    return made.add("Transpose", given[:1], perm=_constant_of(one, 1).astype(int).tolist())


def _matmul(made: _Nodes, one: Operation, given: Names) -> list[str]:
    turned = [one.get_attributes()["transpose_a"], one.get_attributes()["transpose_b"]]
    sides = [
        made.add("Transpose", [name], perm=[1, 0])[0] if turn else name
        for name, turn in zip(given, turned, strict=True)
    ]
    return made.add("MatMul", sides)


def _softmax(made: _Nodes, one: Operation, given: Names) -> list[str]:
    return made.add("Softmax", given, axis=int(one.get_attributes()["axis"]))


def _top_k(made: _Nodes, one: Operation, given: Names) -> list[str]:
    """The largest by value; where they are to be in the order of their places, only these can be asked for."""
    count, facts = _whole_numbers(made, _constant_of(one, 1)), one.get_attributes()
    if facts["mode"] != "max":
        raise BundleError("the bundle's graph looks for least values, which is not translated: export it to openvino")
    values, places = made.add("TopK", [given[0], count], 2, axis=int(facts["axis"]))
    if facts["sort"] == "index":
        places = made.add("TopK", [places, count], 2, axis=int(facts["axis"]), largest=0)[0]
        values = ""
    int32 = require("onnx", extra="onnx").TensorProto.INT32
    return [values, made.add("Cast", [places], to=int32)[0]]


def _gather_elements(made: _Nodes, one: Operation, given: Names) -> list[str]:
    return made.add("GatherElements", given, axis=int(one.get_attributes()["axis"]))


def _gather(made: _Nodes, one: Operation, given: Names) -> list[str]:
    return made.add("Gather", given[:2], axis=int(_constant_of(one, 2)))


def _one_hot(made: _Nodes, one: Operation, given: Names) -> list[str]:
    off_and_on = made.constant(np.array([_constant_of(one, 3), _constant_of(one, 2)]).reshape(2))
    depth = _whole_numbers(made, _constant_of(one, 1))
    # onnxruntime knows it for some combinations of types only
    places = made.add("Cast", given[:1], to=require("onnx", extra="onnx").TensorProto.INT64)
    return made.add("OneHot", [places[0], depth, off_and_on], axis=int(one.get_attributes()["axis"]))


def _windows(one: Operation) -> dict[str, Any]:
    """Strides, dilations and padding of a convolution or pooling."""
    facts = one.get_attributes()
    named = {name: [int(side) for side in facts[name]] for name in ("strides", "dilations")}
    if facts["auto_pad"] in ("same_upper", "same_lower"):
        return {**named, "auto_pad": facts["auto_pad"].upper()}
    return {**named, "pads": [int(side) for side in (*facts["pads_begin"], *facts["pads_end"])]}


def _convolution(made: _Nodes, one: Operation, given: Names) -> list[str]:
    return made.add("Conv", given, **_windows(one))


def _group_convolution(made: _Nodes, one: Operation, given: Names) -> list[str]:
    kernel = _constant_of(one, 1)  # (groups, outputs, inputs, height, width), of which ONNX wants the first two as one
    flat = made.constant(kernel.reshape(-1, *kernel.shape[2:]))
    return made.add("Conv", [given[0], flat], group=len(kernel), **_windows(one))


def _max_pool(made: _Nodes, one: Operation, given: Names) -> list[str]:
    facts = one.get_attributes()
    ceiling = int(facts["rounding_type"] != "floor")
    return made.add("MaxPool", given, kernel_shape=list(facts["kernel"]), ceil_mode=ceiling, **_windows(one))


Translate = Callable[[_Nodes, Operation, Names], list[str]]
AS_IT_IS: Mapping[str, str] = {
    "Add": "Add",
    "Divide": "Div",
    "LessEqual": "LessOrEqual",
    "Log": "Log",
    "Maximum": "Max",
    "Multiply": "Mul",
    "Relu": "Relu",
    "Select": "Where",
    "Sigmoid": "Sigmoid",
    "Sqrt": "Sqrt",
    "Subtract": "Sub",
}
TRANSLATED: Mapping[str, Translate] = {
    "Convert": _convert,
    "Convolution": _convolution,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GroupConvolution": _group_convolution,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "OneHot": _one_hot,
    "ReduceMax": _by_axes("ReduceMax"),
    "ReduceMean": _by_axes("ReduceMean"),
    "ReduceSum": _by_axes("ReduceSum"),
    "Reshape": _reshape,
    "Softmax": _softmax,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
