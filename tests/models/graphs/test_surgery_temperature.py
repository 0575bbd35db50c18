"""A temperature in the graph is the one of `judging.calibration`, and the order of the classes stays."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.engine import Engine, Graph, Precision, core
from tellapart.judging.calibration import apply_temperature
from tellapart.models.graphs.surgery import add_temperature, first_output

Probabilities = NDArray[np.float32]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def passing(classes: int, *, second: bool = False) -> Graph:
    """A graph that returns its input, float32 (n, classes), and optionally its sum."""
    core()
    import openvino
    from openvino import opset13 as ops

    given = ops.parameter([-1, classes], np.float32, name="given")
    same = ops.multiply(given, np.float32(1))
    total = ops.reduce_sum(same, np.array([1], np.int64), keep_dims=True)
    return openvino.Model([same, total] if second else [same], [given], "passing")


def run(graph: Graph, probs: Probabilities, precision: Precision = "float32") -> Probabilities:
    (rows,) = Engine(graph, batch=len(probs), precision=precision).run([probs])
    return rows


@pytest.fixture(scope="module")
def probs() -> Probabilities:
    """Confident and uncertain rows, near ties, and probabilities of 0 and 1 as float32 has them."""
    rng = np.random.default_rng(0)
    drawn = np.concatenate([rng.dirichlet(np.full(5, each), 200) for each in (0.02, 0.3, 1.0, 50.0)])
    edges = np.array([[1, 0, 0, 0, 0], [0, 0, 0.5, 0.5, 0], [0.2] * 5, [1 - 4e-30, 1e-30, 1e-30, 1e-30, 1e-30]])
    rows: Probabilities = np.concatenate([drawn, edges]).astype(np.float32)
    return rows


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("temperature", [0.05, 0.7, 1.3, 4.0, 20.0])
def test_the_graph_predicts_as_apply_temperature_and_keeps_the_likeliest(
    probs: Probabilities, temperature: float, precision: Precision
) -> None:
    found = run(add_temperature(passing(5), temperature), probs, precision)
    expected = apply_temperature(probs, float(np.float32(temperature)))
    np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    ranked = np.sort(probs, axis=1)
    clear = ranked[:, -1] - ranked[:, -2] > 1e-5  # nearer ones may tie once their lead has shrunk
    np.testing.assert_array_equal(found.argmax(axis=1)[clear], probs.argmax(axis=1)[clear])


def test_a_temperature_above_1_lowers_confidence_and_below_1_raises_it(probs: Probabilities) -> None:
    unsure = probs[200:400]
    sure = unsure.max(axis=1)
    assert (run(add_temperature(passing(5), 2), unsure).max(axis=1) < sure).mean() > 0.95
    assert (run(add_temperature(passing(5), 0.5), unsure).max(axis=1) > sure).mean() > 0.95


def test_a_temperature_of_1_is_the_graph_itself() -> None:
    graph = passing(3)
    assert add_temperature(graph, 1) is graph


def test_successive_temperatures_multiply(probs: Probabilities) -> None:
    once, twice = add_temperature(passing(5), 3), add_temperature(add_temperature(passing(5), 1.5), 2)
    np.testing.assert_allclose(run(twice, probs[200:]), run(once, probs[200:]), atol=1e-5)


def test_the_original_graph_and_its_second_output_do_not_change(probs: Probabilities) -> None:
    graph = passing(5, second=True)
    found = run(add_temperature(graph, 4), probs[:8])
    np.testing.assert_allclose(found[:, :5], apply_temperature(probs[:8], 4.0), atol=2e-6)
    np.testing.assert_allclose(found[:, 5], probs[:8].sum(axis=1), atol=1e-6)
    np.testing.assert_array_equal(run(graph, probs[:8])[:, :5], probs[:8])


def test_all_outputs_but_the_first_can_be_dropped(probs: Probabilities) -> None:
    graph = passing(5, second=True)
    assert run(graph, probs).shape == (len(probs), 6)
    np.testing.assert_array_equal(run(first_output(graph), probs), probs)
    alone = passing(5)
    assert first_output(alone) is alone
