"""The engine: the result of each image, in order, independent of the other images of its batch."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.engine import Engine, Graph, Precision, core, read_graph, resolve_precision, write_graph
from tellapart.jobs import CORES

SIDE, CLASSES = 4, 3
WEIGHTS = np.random.default_rng(0).normal(0, 0.01, (SIDE * SIDE, CLASSES)).astype(np.float32)


def small_graph() -> Graph:
    """A linear softmax: uint8 (n, 4, 4, 1) to float32 (n, 3)."""
    core()
    import openvino
    from openvino import opset13 as ops

    images = ops.parameter([-1, SIDE, SIDE, 1], np.uint8, name="pictures")
    flat = ops.reshape(ops.convert(images, "f32"), np.array([0, -1], np.int64), special_zero=True)
    answer = ops.softmax(ops.matmul(flat, WEIGHTS, transpose_a=False, transpose_b=False), axis=1)
    return openvino.Model([answer], [images], "small")


def expected(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    scores = np.exp(images.reshape(-1, SIDE * SIDE) @ WEIGHTS.astype(np.float64))
    result: NDArray[np.float64] = scores / scores.sum(axis=1, keepdims=True)
    return result


def noise(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(small_graph(), batch=8, precision="float32")


@pytest.mark.parametrize("sizes", [[8], [1], [8, 8, 3], [3, 8, 1, 8], [1] * 40, [8] * 40, [0, 5, 0, 0, 8, 0], [0], []])
@pytest.mark.parametrize("streams", [True, False])
def test_batches_of_any_size_are_answered_in_order(sizes: list[int], streams: bool) -> None:
    engine = Engine(small_graph(), batch=8, precision="float32", streams=streams)
    batches = [noise(size, seed) for seed, size in enumerate(sizes)]
    answers = list(engine.run(batches))
    assert [answer.shape for answer in answers] == [(size, CLASSES) for size in sizes]
    for batch, answer in zip(batches, answers, strict=True):
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, expected(batch), atol=1e-5)


def test_an_answer_is_not_overwritten_by_later_ones(engine: Engine) -> None:
    answers = engine.run([noise(8, seed) for seed in range(30)])
    first = next(answers)
    before = first.copy()
    list(answers)
    np.testing.assert_array_equal(first, before)


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_images_answer_does_not_depend_on_its_neighbours(precision: Precision) -> None:
    engine = Engine(small_graph(), batch=8, precision=precision)
    image = noise(1)
    (alone,) = engine.run([image])
    for seed in range(1, 5):
        crowd = noise(8, seed)
        for place in (0, 3, 7):
            crowd[place] = image[0]
            (together,) = engine.run([crowd])
            np.testing.assert_array_equal(together[place], alone[0])  # to the bit


def test_a_view_into_a_larger_array_is_read_rightly(engine: Engine) -> None:
    wide = noise(64)
    (answer,) = engine.run([wide[1:64:8][::-1]])
    np.testing.assert_allclose(answer, expected(wide[1:64:8][::-1]), atol=1e-5)


def test_batches_are_taken_only_as_they_are_needed(engine: Engine) -> None:
    taken = 0

    def endless() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        while True:
            taken += 1
            yield noise(8)

    answers = engine.run(endless())
    next(answers)
    first = taken
    assert first <= engine._concurrency + 1
    for _ in range(10):
        next(answers)
    assert taken == first + 10


def test_a_caller_who_stops_early_leaves_the_engine_usable() -> None:
    engine = Engine(small_graph(), batch=4096, precision="float32")  # long enough to be still at work
    batch, another = noise(4096, 1), noise(4096, 2)
    for _ in range(10):
        answers = engine.run([batch] * 50)
        next(answers)
        del answers
        for answer in engine.run([another] * 5):
            np.testing.assert_allclose(answer, expected(another), atol=1e-5)


def test_an_error_of_the_batches_passes_and_leaves_the_engine_usable(engine: Engine) -> None:
    def broken() -> Iterator[NDArray[np.uint8]]:
        yield noise(8)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(engine.run(broken()))
    assert len(list(engine.run([noise(8)] * 20))) == 20


def test_precision_is_stated_and_never_left_open() -> None:
    assert resolve_precision("float32") == "float32"
    assert resolve_precision("bfloat16") == "bfloat16"
    assert resolve_precision("auto") in ("float32", "bfloat16")
    assert Engine(small_graph(), batch=1).precision == resolve_precision("auto")
    assert Engine(small_graph(), batch=1, precision="bfloat16").precision == "bfloat16"


def test_float32_is_float32_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    # OpenVINO itself would take bfloat16 where the CPU has it: the hint must reach the plugin.
    given: list[dict[str, str]] = []
    true_core = core()

    class Spy:
        def compile_model(self, graph: Graph, device: str, hints: dict[str, str]) -> object:
            given.append(hints)
            assert device == "CPU"
            return true_core.compile_model(graph, device, hints)

    monkeypatch.setattr("tellapart.engine.core", Spy)
    Engine(small_graph(), batch=1, precision="float32")
    Engine(small_graph(), batch=1, precision="bfloat16", streams=False)
    assert [one["INFERENCE_PRECISION_HINT"] for one in given] == ["f32", "bf16"]
    assert [one["PERFORMANCE_HINT"] for one in given] == ["THROUGHPUT", "LATENCY"]


def test_workers_that_share_a_machine_are_not_bound_to_its_first_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CORES, "1")
    compiled = Engine(small_graph(), batch=1)._compiled
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    assert compiled.get_property("ENABLE_CPU_PINNING") is False


def test_the_rate_is_a_positive_number(engine: Engine) -> None:
    assert 0 < engine.rate(batches=2) < 1e9


def test_compiling_leaves_the_graph_as_it_was() -> None:
    graph = small_graph()
    Engine(graph, batch=3)
    assert graph.input(0).partial_shape[0].is_dynamic


def test_an_engine_is_let_go_with_its_last_reference() -> None:
    engine = Engine(small_graph(), batch=2)
    list(engine.run([noise(2)]))
    watched = weakref.ref(engine)
    del engine
    assert watched() is None


def test_a_graph_written_and_read_gives_the_same_answers(tmp_path: Path) -> None:
    write_graph(small_graph(), tmp_path / "model.xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.bin", "model.xml"]
    batch = noise(8)
    (before,) = Engine(small_graph(), batch=8, precision="float32").run([batch])
    (after,) = Engine(read_graph(tmp_path / "model.xml"), batch=8, precision="float32").run([batch])
    np.testing.assert_array_equal(before, after)


def test_several_outputs_stand_side_by_side() -> None:
    core()
    import openvino
    from openvino import opset13 as ops

    images = ops.parameter([-1, SIDE, SIDE, 1], np.uint8, name="pictures")
    numbers = ops.convert(images, "f32")
    flat = ops.reshape(numbers, np.array([0, -1], np.int64), special_zero=True)
    answer = ops.softmax(ops.matmul(flat, WEIGHTS, transpose_a=False, transpose_b=False), axis=1)
    brightest = ops.reduce_max(flat, np.array([1], np.int64), keep_dims=True)
    engine = Engine(openvino.Model([answer, brightest], [images], "both"), batch=8, precision="float32")
    batches = [noise(size, size) for size in (8, 3, 8, 1)]
    for batch, rows in zip(batches, engine.run(batches), strict=True):
        assert rows.shape == (len(batch), CLASSES + 1)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(rows[:, :CLASSES], expected(batch), atol=1e-5)
        np.testing.assert_array_equal(rows[:, CLASSES], batch.reshape(len(batch), -1).max(axis=1))
