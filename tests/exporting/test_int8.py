"""8 bits are offered where they are worth it, and else a sentence has the numbers."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart import Bundle, Dataset
from tellapart.data.splits.draw_splits import HELD_OUT, draw_splits
from tellapart.engine import Engine, Graph, read_graph
from tellapart.errors import BundleError, DatasetError, MissingPackageError, RecipeError
from tellapart.exporting import int8, int8_worth
from tellapart.exporting.int8 import export_int8, quantised
from tellapart.exporting.int8_worth import Worth
from tellapart.judging.intervals import Estimate
from tellapart.judging.paired import Comparison, McNemar


def rated(monkeypatch: pytest.MonkeyPatch, **rates: float) -> None:
    """Let the machine be as fast as that."""
    monkeypatch.setattr(int8_worth, "_rates", lambda _: rates)


def test_what_is_faster_and_as_accurate_is_written(
    kinds: dict[str, Bundle], strangers: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray
) -> None:
    rated(monkeypatch, int8=200.0, float32=100.0)
    found, worth = export_int8(kinds["network"], strangers, to="openvino", out=tmp_path / "out")
    assert (worth.best, worth.speedup, worth.offered) == ("float32", 2.0, True)
    drawn = draw_splits(strangers, validation=HELD_OUT, test=0, seed=0)  # as training would
    assert worth.comparison.n == len(drawn.splits["validation"]) > 0
    assert "2.00 times as fast" in worth.sentence()
    assert found.parity.same >= 110
    graph = read_graph(tmp_path / "out" / "model.xml")
    assert "FakeQuantize" in {one.get_type_name() for one in graph.get_ops()}
    answers = next(Engine(graph, batch=8, precision="float32").run([pixels[:8]]))
    exact = next(Engine(kinds["network"].graph, batch=8, precision="float32").run([pixels[:8]]))
    assert np.abs(answers - exact).max() < 0.1
    facts = json.loads((tmp_path / "out" / "export.json").read_text())
    assert facts["int8"]["rates"] == {"int8": 200.0, "float32": 100.0}
    assert facts["int8"]["comparison"]["accuracy_difference"].keys() == {"value", "low", "high"}


def test_what_is_no_faster_is_refused_with_the_numbers(
    kinds: dict[str, Bundle], strangers: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated(monkeypatch, int8=129.0, float32=90.0, bfloat16=100.0)
    with pytest.raises(BundleError, match=r"129 images a second against 100 in bfloat16, 1\.29 times.*at least 1\.3"):
        export_int8(kinds["network"], strangers, to="openvino", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("difference", "offered"), [(0.02, True), (-0.01, True), (-0.011, False)])
def test_more_than_a_point_of_accuracy_is_not_given_up(difference: float, offered: bool) -> None:
    lost = Estimate(difference, difference - 0.01, difference + 0.01)
    comparison = Comparison(1000, lost, Estimate(0, 0, 0), McNemar(0, 0, 1.0))
    worth = Worth(0.8 + difference, 0.8, comparison, {"int8": 3.0, "float32": 1.0}, 1_000_000, 4_000_000)
    assert worth.offered is offered
    assert "1 MB against 4 MB" in worth.sentence()
    assert f"{100 * difference:+.1f} points" in worth.sentence()


def test_the_machine_is_measured(kinds: dict[str, Bundle], strangers: Dataset, tmp_path: Path) -> None:
    graph = quantised(kinds["network"].graph, np.zeros((2, 20, 20, 3), np.uint8))
    from tellapart.engine import write_graph

    write_graph(graph, tmp_path / "model.xml")
    found = int8_worth.worth(kinds["network"], tmp_path / "model.xml", strangers.splits["all"])
    assert {"int8", "float32"} <= found.rates.keys() <= {"int8", "float32", "bfloat16"}
    assert min(found.rates.values()) > 0
    assert found.int8_bytes != found.float_bytes > 0


def test_it_is_for_networks_and_openvino(
    kinds: dict[str, Bundle], strangers: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match="--to openvino --int8, or --to onnx without"):
        export_int8(kinds["network"], strangers, to="onnx", out=tmp_path / "out")
    with pytest.raises(BundleError, match="is a knn, int8 is for networks"):
        export_int8(kinds["knn"], strangers, to="openvino", out=tmp_path / "out")
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingPackageError, match=r"tellapart\[int8\]"):
        export_int8(kinds["network"], strangers, to="openvino", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_nncf_fails_on_is_a_sentence(kinds: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch) -> None:
    import nncf

    def fails(*_: Graph, **__: Graph) -> None:
        raise RuntimeError("no such layer\nat 0x7f")

    monkeypatch.setattr(nncf, "quantize", fails)
    with pytest.raises(BundleError, match=r"nncf cannot quantise this network \(no such layer\)"):
        quantised(kinds["network"].graph, np.zeros((2, 20, 20, 3), np.uint8))


def test_a_network_that_the_engine_fails_on_is_a_sentence(
    kinds: dict[str, Bundle], strangers: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Graph, **__: Graph) -> None:
        raise RuntimeError("Check failed\nin plugin")

    monkeypatch.setattr(int8_worth, "Engine", fails)
    with pytest.raises(BundleError, match=r"cannot run .* in int8 \(Check failed\)"):
        export_int8(kinds["network"], strangers, to="openvino", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_images_to_learn_from_are_needed(
    kinds: dict[str, Bundle], coloured: Callable[..., Path], tmp_path: Path
) -> None:
    folder = coloured(tmp_path / "data" / "test", each=2).parent
    with pytest.raises(DatasetError, match="train"):
        export_int8(kinds["network"], Dataset.open(folder), to="openvino", out=tmp_path / "out")
    nothing = replace(Dataset.open(coloured(tmp_path / "some", each=2)).splits["all"])
    for file in (tmp_path / "some").rglob("*.png"):
        file.write_bytes(b"none")
    with pytest.raises(DatasetError, match="none of the 6 training images"):
        int8.learning_images(kinds["network"], nothing)
