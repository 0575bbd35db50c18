"""int8 is accepted if it is worthwhile; otherwise the error has the numbers."""

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
from tellapart.exporting import int8
from tellapart.exporting.int8 import Int8Comparison, export_int8, quantize
from tellapart.judging.intervals import Estimate
from tellapart.judging.paired import Comparison, McNemar


def patch_rates(monkeypatch: pytest.MonkeyPatch, **rates: float) -> None:
    """Replace the measured speeds."""
    monkeypatch.setattr(int8, "_rates", lambda _: rates)


def test_a_faster_and_equally_accurate_network_is_written(
    kinds: dict[str, Bundle],
    unseen_images: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pixels: np.ndarray,
) -> None:
    patch_rates(monkeypatch, int8=200.0, float32=100.0)
    result, comparison = export_int8(kinds["network"], unseen_images, to="openvino", out=tmp_path / "out")
    assert (comparison.best, comparison.speedup, comparison.worthwhile) == ("float32", 2.0, True)
    drawn = draw_splits(unseen_images, validation=HELD_OUT, test=0, seed=0)  # as in training
    assert comparison.comparison.n == len(drawn.splits["validation"]) > 0
    assert "2.00 times as fast" in comparison.summary()
    assert result.parity.same >= 110
    graph = read_graph(tmp_path / "out" / "model.xml")
    assert "FakeQuantize" in {operation.get_type_name() for operation in graph.get_ops()}
    probs = next(Engine(graph, batch=8, precision="float32").run([pixels[:8]]))
    expected = next(Engine(kinds["network"].graph, batch=8, precision="float32").run([pixels[:8]]))
    assert np.abs(probs - expected).max() < 0.1
    metadata = json.loads((tmp_path / "out" / "export.json").read_text())
    assert metadata["int8"]["rates"] == {"int8": 200.0, "float32": 100.0}
    assert metadata["int8"]["comparison"]["accuracy_difference"].keys() == {"value", "low", "high"}


def test_a_network_that_is_not_faster_is_refused_with_the_numbers(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch_rates(monkeypatch, int8=129.0, float32=90.0, bfloat16=100.0)
    with pytest.raises(BundleError, match=r"129 images per second against 100 in bfloat16, 1\.29 times.*at least 1\.3"):
        export_int8(kinds["network"], unseen_images, to="openvino", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("difference", "worthwhile"), [(0.02, True), (-0.01, True), (-0.011, False)])
def test_at_most_a_point_of_accuracy_may_be_lost(difference: float, worthwhile: bool) -> None:
    interval = Estimate(difference, difference - 0.01, difference + 0.01)
    comparison = Comparison(1000, interval, Estimate(0, 0, 0), McNemar(0, 0, 1.0))
    result = Int8Comparison(0.8 + difference, 0.8, comparison, {"int8": 3.0, "float32": 1.0}, 1_000_000, 4_000_000)
    assert result.worthwhile is worthwhile
    assert "1 MB against 4 MB" in result.summary()
    assert f"{100 * difference:+.1f} points" in result.summary()


def test_the_speed_of_the_machine_is_measured(kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path) -> None:
    graph = quantize(kinds["network"].graph, np.zeros((2, 20, 20, 3), np.uint8))
    from tellapart.engine import write_graph

    write_graph(graph, tmp_path / "model.xml")
    comparison = int8.compare_int8(kinds["network"], tmp_path / "model.xml", unseen_images.splits["all"])
    assert {"int8", "float32"} <= comparison.rates.keys() <= {"int8", "float32", "bfloat16"}
    assert min(comparison.rates.values()) > 0
    assert comparison.int8_bytes != comparison.float_bytes > 0


def test_int8_requires_a_network_and_openvino(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match="--to litert --int8, or --to onnx without"):
        export_int8(kinds["network"], unseen_images, to="onnx", out=tmp_path / "out")
    with pytest.raises(BundleError, match="is a knn, int8 supports networks only"):
        export_int8(kinds["knn"], unseen_images, to="openvino", out=tmp_path / "out")
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingPackageError, match=r"tellapart\[int8\]"):
        export_int8(kinds["network"], unseen_images, to="openvino", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_of_nncf_is_an_error(kinds: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch) -> None:
    import nncf

    def fails(*_: Graph, **__: Graph) -> None:
        raise RuntimeError("no such layer\nat 0x7f")

    monkeypatch.setattr(nncf, "quantize", fails)
    with pytest.raises(BundleError, match=r"nncf cannot quantize this network \(no such layer\)"):
        quantize(kinds["network"].graph, np.zeros((2, 20, 20, 3), np.uint8))


def test_a_failure_of_the_engine_is_an_error(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Graph, **__: Graph) -> None:
        raise RuntimeError("Check failed\nin plugin")

    monkeypatch.setattr(int8, "Engine", fails)
    with pytest.raises(BundleError, match=r"cannot run .* in int8 \(Check failed\)"):
        export_int8(kinds["network"], unseen_images, to="openvino", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_calibration_needs_readable_training_images(
    kinds: dict[str, Bundle], coloured: Callable[..., Path], tmp_path: Path
) -> None:
    folder = coloured(tmp_path / "data" / "test", each=2).parent
    with pytest.raises(DatasetError, match="train"):
        export_int8(kinds["network"], Dataset.open(folder), to="openvino", out=tmp_path / "out")
    unreadable = replace(Dataset.open(coloured(tmp_path / "some", each=2)).splits["all"])
    for file in (tmp_path / "some").rglob("*.png"):
        file.write_bytes(b"none")
    with pytest.raises(DatasetError, match="none of the 6 training images"):
        int8.calibration_images(kinds["network"], unreadable)
