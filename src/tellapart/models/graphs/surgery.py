"""Edit classifier graphs: find feature maps and features, cut there, join a head, add a temperature, mirror.

Needs only OpenVINO. No function changes the graph that it takes.
"""

from typing import Any

import numpy as np

from tellapart.engine import Graph

Output = Any
"""An output of an operation; OpenVINO has no types."""
Node = Any
Operations = Any

MIN_PROB = np.finfo(np.float32).tiny  # stands in for a probability of 0: the least normal float32
POOLINGS = ("ReduceMean", "ReduceMax")
LAYOUTS = ((1, 2), (2, 3))  # axes of height and width: channels last, or channels first


def find_feature_map(graph: Graph) -> Output | None:
    """Find the input of the last pooling over height and width, float (n, ...); None without such a pooling.

    `find_spatial_axes` gives its axes of height and width. Poolings that the graph can bypass, as in
    squeeze-and-excitation, are ignored.
    """
    pooling = _last_pooling(graph)
    return None if pooling is None else pooling.input_value(0)


def find_spatial_axes(graph: Graph) -> tuple[int, int] | None:
    """Find the axes of height and width of the feature map: (2, 3) or (1, 2); None without a feature map."""
    pooling = _last_pooling(graph)
    return None if pooling is None else _pooled_axes(pooling)


def find_features(graph: Graph) -> Output:
    """Find a vector per image, float (n, width): the pooled features, else the input of the last dense layer.

    Without either, it is the output of the graph, as for a backbone under an estimator. In a graph that takes vectors,
    such as an estimator's, it is the input.
    """
    (inputs,) = graph.get_parameters()
    if _rank(inputs.output(0)) == 2:
        return inputs.output(0)
    pooling = _last_pooling(graph)
    if pooling is not None and _rank(pooling.output(0)) == 2:
        return pooling.output(0)
    dense = (node for node in reversed(_leading(graph)) if _is_dense(node))
    last = next(dense, None)
    return _end(graph) if last is None else last.input_value(0)


def rows_per_image(graph: Graph) -> int:
    """Count the rows of features of each image: 2 in a mirrored graph (all images, then all mirror images)."""
    (images,) = graph.get_parameters()
    users = (target.get_node() for target in images.output(0).get_target_inputs())
    return 1 + any(user.get_type_name() == "Concat" and user.get_attributes()["axis"] == 0 for user in users)


def graph_up_to(graph: Graph, output: Output) -> Graph:
    """Cut out the part from the images to an operation's output, as float32."""
    import openvino
    from openvino import opset13 as op

    part = openvino.Model([output], graph.get_parameters(), "up to").clone()
    end = part.get_results()[0].input_value(0)
    if end.element_type.to_string() == "f32":
        return part
    return openvino.Model([op.convert(end, "f32")], part.get_parameters(), "up to")


def graph_beyond(graph: Graph, output: Output) -> Graph:
    """Cut out the part from an operation's output to the probabilities, with a dynamic batch.

    It takes `rows_per_image` rows for each image. Raises ValueError where the graph can bypass that output.
    """
    import openvino
    from openvino import opset13 as op

    if not _all_passes(graph, output.get_node()):
        raise ValueError(f"{output.get_node().get_friendly_name()} alone does not determine the graph's output")
    part = openvino.Model([_end(graph), output], graph.get_parameters()).clone()
    probabilities, cut = (result.input_value(0) for result in part.get_results())
    parameter = op.parameter([-1, *list(cut.partial_shape)[1:]], cut.element_type, name="taken")
    if probabilities == cut:  # the output is the graph's own
        return openvino.Model([parameter], [parameter], "beyond")
    cut.replace(parameter.output(0))
    return openvino.Model([probabilities], [parameter], "beyond")


def join_head(backbone: Graph, head: Graph) -> Graph:
    """Join two graphs: the backbone's output becomes the head's input."""
    import openvino

    backbone, head = backbone.clone(), head.clone()
    features = backbone.get_results()[0].input_value(0)
    head.get_parameters()[0].output(0).replace(features)
    return openvino.Model(head.get_results(), backbone.get_parameters(), "classifier")


def add_temperature(graph: Graph, temperature: float) -> Graph:
    """Change a graph's probabilities p to softmax(log(p) / T), as `judging.calibration.apply_temperature` does.

    A temperature of 1 changes nothing. Further outputs are kept.
    """
    if temperature == 1:
        return graph
    import openvino
    from openvino import opset13 as op

    graph = graph.clone()
    probabilities = graph.get_results()[0].input_value(0)
    rest = [result.input_value(0) for result in graph.get_results()[1:]]
    logarithms = op.log(op.maximum(probabilities, op.constant(MIN_PROB)))
    scaled = op.softmax(op.divide(logarithms, op.constant(np.float32(temperature))), -1)
    return openvino.Model([scaled.output(0), *rest], graph.get_parameters(), "classifier")


def first_output(graph: Graph) -> Graph:
    """Drop all outputs of a graph but the first."""
    import openvino

    if len(graph.get_results()) == 1:
        return graph
    return openvino.Model(graph.get_results()[:1], graph.get_parameters(), "classifier")


def mirror_graph(graph: Graph) -> Graph:
    """Average a graph's output over images (n, height, width, channels) and their mirror images."""
    import openvino
    from openvino import opset13 as op

    graph = graph.clone()
    (inner,) = graph.get_parameters()
    images = op.parameter(inner.partial_shape, inner.element_type, name="pictures")
    both = op.concat([images, _flip(op, images)], 0)
    inner.output(0).replace(both.output(0))
    halves = op.split(graph.get_results()[0].input_value(0), op.constant(0), 2)
    mean = op.multiply(op.add(halves.output(0), halves.output(1)), op.constant(np.float32(0.5)))
    return openvino.Model([op.result(mean)], [images], "mirrored")


def _flip(op: Operations, images: Node) -> Node:
    """The images with left and right exchanged: from the last column to the first, by steps of -1."""
    last, before_first = op.constant([-1]), op.constant([np.iinfo(np.int64).min])
    return op.slice(images, last, before_first, op.constant([-1]), op.constant([2]))


def _leading(graph: Graph) -> list[Node]:
    """The operations that lead to the graph's first output, in order, without those of a second output alone."""
    import openvino

    ordered: list[Node] = openvino.Model([_end(graph)], graph.get_parameters()).get_ordered_ops()
    return ordered


def _last_pooling(graph: Graph) -> Node | None:
    poolings = (node for node in reversed(_leading(graph)) if _pooled_axes(node))
    return next((node for node in poolings if _all_passes(graph, node)), None)


def _pooled_axes(node: Node) -> tuple[int, int] | None:
    """The axes of height and width that a node takes the mean or the maximum over; None if it does not."""
    if node.get_type_name() not in POOLINGS or _rank(node.input_value(0)) != 4:
        return None
    constant = node.input_value(1).get_node()
    if constant.get_type_name() != "Constant":
        return None
    axes = sorted(int(axis) % 4 for axis in constant.data.ravel())
    return next((layout for layout in LAYOUTS if [*layout] == axes), None)


def _is_dense(node: Node) -> bool:
    inputs = [node.input_value(index) for index in range(node.get_input_size())]
    return (
        node.get_type_name() == "MatMul"
        and [_rank(value) for value in inputs] == [2, 2]
        and inputs[1].get_node().get_type_name() == "Constant"
    )


def _all_passes(graph: Graph, node: Node) -> bool:
    """True if every path from the graph's end back to its images passes through the node."""
    barrier, visited, stack = node.get_name(), set(), [_end(graph).get_node()]
    while stack:
        current = stack.pop()
        name = current.get_name()
        if name == barrier or name in visited:
            continue
        if current.get_type_name() == "Parameter":
            return False
        visited.add(name)
        stack += [current.input_value(index).get_node() for index in range(current.get_input_size())]
    return True


def _end(graph: Graph) -> Output:
    return graph.get_results()[0].input_value(0)


def _rank(output: Output) -> int:
    rank = output.partial_shape.rank
    return int(rank.get_length()) if rank.is_static else -1
