"""Conversion of an OpenVINO graph to ONNX, for the operations of estimators and common backbones."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.engine import Graph
from tellapart.errors import BundleError, require

OPSET = 18
IR_VERSION = 10  # matches the opset: onnxruntime refuses newer versions than it knows
Operation = Any
"""An OpenVINO operation or output, which is untyped, like the ONNX objects below."""
Node = Any
Model = Any
Attribute = Any
Names = Sequence[str]


class _GraphBuilder:
    """ONNX nodes in topological order, and constants. Lives for one graph."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: list[Any] = []
        self._onnx = require("onnx", extra="onnx")

    def add(self, kind: str, inputs: Names, outputs: int = 1, **attributes: Attribute) -> list[str]:
        """Add a node and return the names of its outputs."""
        names = [f"{kind.lower()}_{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(self._onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def constant(self, values: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def to_onnx(graph: Graph) -> Model:
    """Convert a graph in float32, with one input of images and one output of probabilities. Raises BundleError."""
    onnx, builder = require("onnx", extra="onnx"), _GraphBuilder()
    names: dict[tuple[str, int], str] = {}
    for operation in graph.get_ordered_ops():
        kind = operation.get_type_name()
        if kind == "Result":
            continue
        inputs = [names[source.get_node().get_name(), source.get_index()] for source in operation.input_values()]
        for index, name in enumerate(_convert_operation(builder, operation, kind, inputs)):
            names[operation.get_name(), index] = name
    result = graph.get_results()[0].input_value(0)
    builder.nodes.append(
        onnx.helper.make_node("Identity", [names[result.get_node().get_name(), result.get_index()]], ["probabilities"])
    )
    images = _value_info("pictures", onnx.TensorProto.UINT8, graph.input(0))
    probabilities = _value_info("probabilities", onnx.TensorProto.FLOAT, graph.output(0))
    onnx_graph = onnx.helper.make_graph(builder.nodes, "classifier", [images], [probabilities], builder.constants)
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(onnx_graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="tellapart")
    onnx.checker.check_model(model)
    return model


def _value_info(name: str, kind: int, output: Operation) -> Node:
    shape = ["n", *(side.get_length() for side in list(output.get_partial_shape())[1:])]
    return require("onnx", extra="onnx").helper.make_tensor_value_info(name, kind, shape)


def _convert_operation(builder: _GraphBuilder, operation: Operation, kind: str, inputs: Names) -> list[str]:
    if kind == "Parameter":
        return ["pictures"]
    if kind == "Constant":
        return [builder.constant(operation.get_data())]
    if kind in DIRECT:
        return builder.add(DIRECT[kind], inputs)
    if kind not in CONVERTERS:
        raise BundleError(
            f"the bundle's graph has the operation {kind}, which has no ONNX conversion: export to openvino"
        )
    return CONVERTERS[kind](builder, operation, inputs)


def _constant_input(operation: Operation, index: int) -> NDArray[Any]:
    """Return the value of an input that has to be constant. Raises BundleError."""
    source = operation.input_value(index).get_node()
    if source.get_type_name() != "Constant":
        raise BundleError(
            f"{operation.get_type_name()} of the bundle's graph has a computed input, which ONNX does not support: "
            f"export to openvino"
        )
    data: NDArray[Any] = source.get_data()
    return data


def _int64_constant(builder: _GraphBuilder, values: NDArray[Any]) -> str:
    """Add axes or a shape as ONNX requires them: int64 (n,)."""
    return builder.constant(np.atleast_1d(values).astype(np.int64))


def _convert(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    onnx = require("onnx", extra="onnx")
    kind = np.dtype(operation.get_element_type().to_dtype())
    return builder.add("Cast", inputs, to=onnx.helper.np_dtype_to_tensor_dtype(kind))


def _reshape(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    shape = _int64_constant(builder, _constant_input(operation, 1))
    return builder.add("Reshape", [inputs[0], shape], allowzero=0 if operation.get_attributes()["special_zero"] else 1)


def _reduction(kind: str) -> "Converter":
    def reduce(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
        axes = _int64_constant(builder, _constant_input(operation, 1))
        return builder.add(kind, [inputs[0], axes], keepdims=int(operation.get_attributes()["keep_dims"]))

    return reduce


def _unsqueeze(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    return builder.add("Unsqueeze", [inputs[0], _int64_constant(builder, _constant_input(operation, 1))])


def _transpose(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    return builder.add("Transpose", inputs[:1], perm=_constant_input(operation, 1).astype(int).tolist())


def _matmul(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    transposed = [operation.get_attributes()["transpose_a"], operation.get_attributes()["transpose_b"]]
    sides = [
        builder.add("Transpose", [name], perm=[1, 0])[0] if transpose else name
        for name, transpose in zip(inputs, transposed, strict=True)
    ]
    return builder.add("MatMul", sides)


def _softmax(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    return builder.add("Softmax", inputs, axis=int(operation.get_attributes()["axis"]))


def _top_k(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    """Convert TopK by value. Sorted by index, only the indices are available."""
    count, attributes = _int64_constant(builder, _constant_input(operation, 1)), operation.get_attributes()
    if attributes["mode"] != "max":
        raise BundleError(
            "the bundle's graph selects smallest values, which has no ONNX conversion: export to openvino"
        )
    values, indices = builder.add("TopK", [inputs[0], count], 2, axis=int(attributes["axis"]))
    if attributes["sort"] == "index":
        indices = builder.add("TopK", [indices, count], 2, axis=int(attributes["axis"]), largest=0)[0]
        values = ""
    int32 = require("onnx", extra="onnx").TensorProto.INT32
    return [values, builder.add("Cast", [indices], to=int32)[0]]


def _gather_elements(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    return builder.add("GatherElements", inputs, axis=int(operation.get_attributes()["axis"]))


def _gather(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    return builder.add("Gather", inputs[:2], axis=int(_constant_input(operation, 2)))


def _one_hot(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    off_and_on = builder.constant(np.array([_constant_input(operation, 3), _constant_input(operation, 2)]).reshape(2))
    depth = _int64_constant(builder, _constant_input(operation, 1))
    # onnxruntime supports only some combinations of types
    indices = builder.add("Cast", inputs[:1], to=require("onnx", extra="onnx").TensorProto.INT64)
    return builder.add("OneHot", [indices[0], depth, off_and_on], axis=int(operation.get_attributes()["axis"]))


def _window_attributes(operation: Operation) -> dict[str, Any]:
    """Return strides, dilations and padding of a convolution or pooling."""
    attributes = operation.get_attributes()
    windows = {name: [int(side) for side in attributes[name]] for name in ("strides", "dilations")}
    if attributes["auto_pad"] in ("same_upper", "same_lower"):
        return {**windows, "auto_pad": attributes["auto_pad"].upper()}
    return {**windows, "pads": [int(side) for side in (*attributes["pads_begin"], *attributes["pads_end"])]}


def _convolution(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    return builder.add("Conv", inputs, **_window_attributes(operation))


def _group_convolution(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    kernel = _constant_input(operation, 1)  # (groups, outputs, inputs, height, width); ONNX merges the first two
    flat = builder.constant(kernel.reshape(-1, *kernel.shape[2:]))
    return builder.add("Conv", [inputs[0], flat], group=len(kernel), **_window_attributes(operation))


def _max_pool(builder: _GraphBuilder, operation: Operation, inputs: Names) -> list[str]:
    attributes = operation.get_attributes()
    ceiling = int(attributes["rounding_type"] != "floor")
    return builder.add(
        "MaxPool", inputs, kernel_shape=list(attributes["kernel"]), ceil_mode=ceiling, **_window_attributes(operation)
    )


Converter = Callable[[_GraphBuilder, Operation, Names], list[str]]
DIRECT: Mapping[str, str] = {
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
CONVERTERS: Mapping[str, Converter] = {
    "Convert": _convert,
    "Convolution": _convolution,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GroupConvolution": _group_convolution,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "OneHot": _one_hot,
    "ReduceMax": _reduction("ReduceMax"),
    "ReduceMean": _reduction("ReduceMean"),
    "ReduceSum": _reduction("ReduceSum"),
    "Reshape": _reshape,
    "Softmax": _softmax,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
