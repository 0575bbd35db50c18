"""Import of a SavedModel folder of TensorFlow as a classifier, read by OpenVINO: no TensorFlow, nothing is run.

It has no Keras layers, so its bundle has a graph alone. Call it in a process of its own, as
`training.saved_model_worker` does: the files are read by a large library.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.data.image_size import Size
from tellapart.engine import Graph, core, last_line
from tellapart.errors import RecipeError, WeightsError
from tellapart.models.catalogue import DEVIATION, MEAN, MEAN_BGR, Scaling
from tellapart.models.importing.image_input import image_shape, require_classifier
from tellapart.models.importing.own_scaling import OwnScaling, by_channel, formula, require_scaled_once

Node = Any
"""An operation or output of OpenVINO, which has no types."""
MAIN, KERAS_METADATA = "saved_model.pb", "keras_metadata.pb"
SAME_VALUES = ("Convert", "ConvertLike", "Identity", "Reshape", "ShapeOf", "Squeeze", "Transpose", "Unsqueeze")
LOGITS = ("Add", "MatMul", "ReduceMean", "Subtract")
MAX_STEPS = 50


@dataclass(frozen=True)
class GraphClassifier:
    """A graph from uint8 images to probabilities, the shape of its images, and sentences about it."""

    graph: Graph
    shape: tuple[int, int, int]
    scaling: Scaling
    ending: str
    scaled: str | None


def is_saved_model(folder: Path) -> bool:
    """Return True for a folder as TensorFlow's `model.save("name")` and `model.export` write it."""
    return (folder / MAIN).is_file()


def require_regular_files(folder: Path) -> None:
    """Check that a SavedModel folder has no links and no special files. Raises WeightsError."""
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise WeightsError(f"{path} is a link or no regular file: copy the folder with its contents")


def build_graph_classifier(
    folder: Path, *, scaling: Scaling, classes: int, size: Size | None, named: bool, twice: bool
) -> GraphClassifier:
    """Read a SavedModel folder and join scaling, model and the conversion of its output to probabilities.

    Raises WeightsError where OpenVINO cannot read it or it is no classifier of images, RecipeError.
    """
    require_regular_files(folder)
    graph = _read(folder)
    entry, end = graph.get_parameters()[0], graph.get_results()[0].input_value(0)
    shape = image_shape(_sides(entry.get_partial_shape()), size)
    width = _width(end.get_partial_shape())
    activation = _activation(end)
    require_classifier(activation, width, classes)
    whole = entry.get_element_type().to_string() == "u8"
    scaled: str | None = None
    if whole and scaling != "inside":
        raise RecipeError("the model takes integers from 0 to 255, so it scales them itself: --preprocess none")
    if not whole:
        own = _own_scaling(entry)
        scaling, scaled = require_scaled_once(own, scaling, named=named, twice=twice)
    if scaling in ("torch", "caffe") and shape[2] == 1:
        raise RecipeError(f"preprocess {scaling} is for colour, but the model takes grey images: use unit or tf")
    joined, ending = _joined(entry, end, shape, scaling=scaling, whole=whole, activation=activation, width=width)
    return GraphClassifier(joined, shape, scaling, ending, scaled)


def _read(folder: Path) -> Graph:
    try:
        graph = core().read_model(folder)
    except RuntimeError as error:
        raise WeightsError(f"OpenVINO cannot read the SavedModel: {last_line(error)}") from error
    if len(graph.get_parameters()) != 1 or len(graph.get_results()) != 1:
        raise WeightsError(
            f"the SavedModel takes {len(graph.get_parameters())} inputs and gives {len(graph.get_results())} outputs; "
            f"expected an image and the numbers of the classes"
        )
    return graph


def _sides(shape: Node) -> tuple[int | None, ...]:
    if shape.rank.is_dynamic or not 2 <= shape.rank.get_length() <= 4:
        raise WeightsError(f"the model takes {shape}; expected one image: (None, height, width, 1 or 3)")
    return tuple(side.get_length() if side.is_static else None for side in list(shape)[1:])


def _width(shape: Node) -> int:
    if shape.rank.is_dynamic or shape.rank.get_length() != 2 or shape[1].is_dynamic:
        raise WeightsError(f"the model gives {shape}; expected (None, classes)")
    return int(shape[1].get_length())


def _activation(output: Node) -> str:
    """Return softmax, sigmoid or linear. Raises WeightsError for another last operation."""
    node = output.get_node()
    while node.get_type_name() in SAME_VALUES:
        node = node.input_value(0).get_node()
    kind = node.get_type_name()
    if kind not in ("SoftMax", "Softmax", "Sigmoid", *LOGITS):
        raise WeightsError(f"the model ends in {kind}; expected softmax, one sigmoid, or logits without activation")
    return "linear" if kind in LOGITS else kind.lower()


def _own_scaling(entry: Node) -> OwnScaling:
    """Follow the only use of each output from the images on, as long as it scales by constants."""
    own, output = OwnScaling(), entry.output(0)
    for _ in range(MAX_STEPS):
        users = [target.get_node() for target in output.get_target_inputs()]
        if len(users) != 1 or users[0].get_type_name() == "Result":
            break
        (node,) = users
        if node.get_type_name() not in SAME_VALUES:
            affine = _affine(node, output)
            if affine is None:
                break
            slope, offset = affine
            if not (np.all(np.equal(slope, 1)) and not np.any(offset)):
                own = own.then(formula(slope, offset), slope, offset)
        output = node.output(0)
    return own


def _affine(node: Node, output: Node) -> tuple[Any, Any] | None:
    kind = node.get_type_name()
    if kind not in ("Multiply", "Add", "Subtract", "Divide"):
        return None
    values = [node.input_value(index) for index in range(2)]
    first = values[0] == output
    constant = values[1 if first else 0].get_node()
    if constant.get_type_name() == "Convert":
        constant = constant.input_value(0).get_node()
    number = by_channel(constant.data) if constant.get_type_name() == "Constant" else None
    if number is None or (kind == "Divide" and (not first or not np.all(number))):
        return None
    if kind == "Divide":
        return 1 / number, 0.0
    if kind == "Multiply":
        return number, 0.0
    return (-1.0, number) if kind == "Subtract" and not first else (1.0, -number if kind == "Subtract" else number)


def _joined(
    entry: Node,
    end: Node,
    shape: tuple[int, int, int],
    *,
    scaling: Scaling,
    whole: bool,
    activation: str,
    width: int,
) -> tuple[Graph, str]:
    import openvino
    from openvino import opset13 as op

    rank = entry.get_partial_shape().rank.get_length()
    images = op.parameter([-1, *shape], np.uint8, name="pictures")
    numbers = _rearranged(images if whole else _scaled(op.convert(images, "f32"), scaling), shape, entry, rank)
    entry.output(0).replace(numbers.output(0))
    probabilities, ending = _probabilities(end, activation, width)
    graph = openvino.Model([probabilities], [images], "classifier")
    graph.validate_nodes_and_infer_types()
    return graph, ending


def _scaled(numbers: Node, scaling: Scaling) -> Node:
    from openvino import opset13 as op

    if scaling == "caffe":
        numbers = op.gather(numbers, op.constant([2, 1, 0]), op.constant(3))
    mean, deviation, mean_bgr = (np.asarray(values) for values in (MEAN, DEVIATION, MEAN_BGR))
    slope, offset = {
        "unit": (1 / 255, 0.0),
        "tf": (1 / 127.5, -1.0),
        "torch": (1 / (255 * deviation), -mean / deviation),
        "caffe": (1.0, -mean_bgr),
        "inside": (1.0, 0.0),
    }[scaling]
    slope, offset = np.asarray(slope, np.float32), np.asarray(offset, np.float32)
    return op.add(op.multiply(numbers, op.constant(slope)), op.constant(offset))


def _rearranged(numbers: Node, shape: tuple[int, int, int], entry: Node, rank: int) -> Node:
    from openvino import opset13 as op

    if rank == 2:
        return op.reshape(numbers, op.constant([-1, int(np.prod(shape))]), special_zero=False)
    if rank == 3:
        return op.reshape(numbers, op.constant([-1, *shape[:2]]), special_zero=False)
    last = list(entry.get_partial_shape())[3]
    if last.is_static and last.get_length() in (1, 3):
        return numbers
    return op.transpose(numbers, op.constant([0, 3, 1, 2]))


def _probabilities(end: Node, activation: str, width: int) -> tuple[Node, str]:
    from openvino import opset13 as op

    end = op.convert(end, "f32").output(0)
    if activation == "softmax":
        return end, "its last layer is softmax: probabilities, used as they are"
    if activation == "linear" and width > 1:
        return op.softmax(end, 1).output(0), "its last layer gives logits: softmax is added"
    second = end if activation == "sigmoid" else op.sigmoid(end).output(0)
    first = op.subtract(op.constant(np.float32(1)), second)
    return op.concat([first.output(0), second], 1).output(0), "its last layer has one output: the second class"
