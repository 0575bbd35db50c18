"""How a classifier's graph ends: a head behind a base, a temperature. Only OpenVINO is needed."""

import numpy as np

from tellapart.engine import Graph

TINY = np.finfo(np.float32).tiny
"""What a probability of 0 is taken for: the least that float32 holds in full."""


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
    logarithms = op.log(op.maximum(answer, op.constant(TINY)))
    calm = op.softmax(op.divide(logarithms, op.constant(np.float32(temperature))), -1)
    return openvino.Model([calm.output(0), *rest], graph.get_parameters(), "classifier")


def first_output(graph: Graph) -> Graph:
    """The same graph without the outputs after its first."""
    import openvino

    if len(graph.get_results()) == 1:
        return graph
    return openvino.Model(graph.get_results()[:1], graph.get_parameters(), "classifier")
