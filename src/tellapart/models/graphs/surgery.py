"""Where in a classifier's graph its feature maps and its features are, and the graph cut in two there.

Only OpenVINO is needed. Every function leaves the graph it is given as it was.
"""

from typing import Any

import numpy as np

from tellapart.engine import Graph

Output = Any
"""An output of an operation: OpenVINO has no types, so neither has this."""
Node = Any
Operations = Any

MIN_PROB = np.finfo(np.float32).tiny  # stands in for a probability of 0: the least normal float32
POOLINGS = ("ReduceMean", "ReduceMax")
LAYOUTS = ((1, 2), (2, 3))  # where height and width are: before the channels, or as OpenVINO has them, after


def find_feature_map(graph: Graph) -> Output | None:
    """What the last pooling over height and width takes, float (n, ...); None where there is no such pooling.

    Where height and width are among its axes, `find_spatial_axes` says. A pooling that the graph also goes around, as in
    squeeze-and-excitation, is not meant.
    """
    pooling = _last_pooling(graph)
    return None if pooling is None else pooling.input_value(0)


def find_spatial_axes(graph: Graph) -> tuple[int, int] | None:
    """Which axes of the feature map are height and width: (2, 3) or (1, 2); None where there is no feature map."""
    pooling = _last_pooling(graph)
    return None if pooling is None else _pooled_axes(pooling)


def find_features(graph: Graph) -> Output:
    """A vector per image, float (n, width): what is pooled, else what the last dense layer takes.

    Without either it is what the graph itself gives, as where an estimator stands on it. Of a graph that takes vectors,
    as an estimator's own, it is these.
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
    """How many rows of features each image has: 2 in a mirrored graph (all images, then all mirror images)."""
    (images,) = graph.get_parameters()
    users = (place.get_node() for place in images.output(0).get_target_inputs())
    return 1 + any(user.get_type_name() == "Concat" and user.get_attributes()["axis"] == 0 for user in users)


def graph_up_to(graph: Graph, output: Output) -> Graph:
    """The part from the images to one of the graph's outputs of operations, float32."""
    import openvino
    from openvino import opset13 as op

    part = openvino.Model([output], graph.get_parameters(), "up to").clone()
    end = part.get_results()[0].input_value(0)
    if end.element_type.to_string() == "f32":
        return part
    return openvino.Model([op.convert(end, "f32")], part.get_parameters(), "up to")


def graph_beyond(graph: Graph, output: Output) -> Graph:
    """The part from one of the graph's outputs of operations to its probabilities; the batch is left open.

    It takes `rows_per_image` rows for each image. Raises ValueError where the graph also goes around that output.
    """
    import openvino
    from openvino import opset13 as op

    if not _all_passes(graph, output.get_node()):
        raise ValueError(f"{output.get_node().get_friendly_name()} alone does not decide what the graph says")
    part = openvino.Model([_end(graph), output], graph.get_parameters()).clone()
    answer, seam = (result.input_value(0) for result in part.get_results())
    taken = op.parameter([-1, *list(seam.partial_shape)[1:]], seam.element_type, name="taken")
    if answer == seam:  # nothing lies beyond
        return openvino.Model([taken], [taken], "beyond")
    seam.replace(taken.output(0))
    return openvino.Model([answer], [taken], "beyond")


def join_head(base: Graph, head: Graph) -> Graph:
    """One graph of two, each left as it is: what the base gives is what the head takes."""
    import openvino

    base, head = base.clone(), head.clone()
    seam = base.get_results()[0].input_value(0)
    head.get_parameters()[0].output(0).replace(seam)
    return openvino.Model(head.get_results(), base.get_parameters(), "classifier")


def add_temperature(graph: Graph, temperature: float) -> Graph:
    """The same graph, its probabilities p made softmax(log(p) / T): as sure as `judging.calibration` found right.

    A temperature of 1 changes nothing. A graph's second output, where it has one, stays as it is.
    """
    if temperature == 1:
        return graph
    import openvino
    from openvino import opset13 as op

    graph = graph.clone()
    answer = graph.get_results()[0].input_value(0)
    rest = [result.input_value(0) for result in graph.get_results()[1:]]
    logarithms = op.log(op.maximum(answer, op.constant(MIN_PROB)))
    calm = op.softmax(op.divide(logarithms, op.constant(np.float32(temperature))), -1)
    return openvino.Model([calm.output(0), *rest], graph.get_parameters(), "classifier")


def first_output(graph: Graph) -> Graph:
    """The same graph without the outputs after its first."""
    import openvino

    if len(graph.get_results()) == 1:
        return graph
    return openvino.Model(graph.get_results()[:1], graph.get_parameters(), "classifier")


def mirror_graph(graph: Graph) -> Graph:
    """The mean of what a graph says of images (n, height, width, channels) and of their mirror images."""
    import openvino
    from openvino import opset13 as op

    graph = graph.clone()
    (inner,) = graph.get_parameters()
    images = op.parameter(inner.partial_shape, inner.element_type, name="pictures")
    both = op.concat([images, _reversed(op, images)], 0)
    inner.output(0).replace(both.output(0))
    halves = op.split(graph.get_results()[0].input_value(0), op.constant(0), 2)
    mean = op.multiply(op.add(halves.output(0), halves.output(1)), op.constant(np.float32(0.5)))
    return openvino.Model([op.result(mean)], [images], "mirrored")


def _reversed(op: Operations, images: Node) -> Node:
    """Left and right exchanged: from the last column to the first, by steps of -1."""
    last, before_first = op.constant([-1]), op.constant([np.iinfo(np.int64).min])
    return op.slice(images, last, before_first, op.constant([-1]), op.constant([2]))


def _leading(graph: Graph) -> list[Node]:
    """The operations that lead to what the graph says, in order; a second output's own are not among them."""
    import openvino

    ordered: list[Node] = openvino.Model([_end(graph)], graph.get_parameters()).get_ordered_ops()
    return ordered


def _last_pooling(graph: Graph) -> Node | None:
    poolings = (node for node in reversed(_leading(graph)) if _pooled_axes(node))
    return next((node for node in poolings if _all_passes(graph, node)), None)


def _pooled_axes(node: Node) -> tuple[int, int] | None:
    """Where height and width are that a node takes the mean or the maximum over; None if it does not."""
    if node.get_type_name() not in POOLINGS or _rank(node.input_value(0)) != 4:
        return None
    constant = node.input_value(1).get_node()
    if constant.get_type_name() != "Constant":
        return None
    axes = sorted(int(axis) % 4 for axis in constant.data.ravel())
    return next((layout for layout in LAYOUTS if [*layout] == axes), None)


def _is_dense(node: Node) -> bool:
    inputs = [node.input_value(place) for place in range(node.get_input_size())]
    return (
        node.get_type_name() == "MatMul"
        and [_rank(one) for one in inputs] == [2, 2]
        and inputs[1].get_node().get_type_name() == "Constant"
    )


def _all_passes(graph: Graph, node: Node) -> bool:
    """Whether every way from the graph's end back to its images leads through the node."""
    barrier, seen, waiting = node.get_name(), set(), [_end(graph).get_node()]
    while waiting:
        one = waiting.pop()
        name = one.get_name()
        if name == barrier or name in seen:
            continue
        if one.get_type_name() == "Parameter":
            return False
        seen.add(name)
        waiting += [one.input_value(place).get_node() for place in range(one.get_input_size())]
    return True


def _end(graph: Graph) -> Output:
    return graph.get_results()[0].input_value(0)


def _rank(output: Output) -> int:
    rank = output.partial_shape.rank
    return int(rank.get_length()) if rank.is_static else -1
