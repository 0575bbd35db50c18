"""LiteRT in int8 and float16 is accepted if it is about as accurate as the bundle; otherwise the error has numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from tellapart import Bundle, Dataset
from tellapart.errors import BundleError, RecipeError
from tellapart.exporting import litert_precision
from tellapart.exporting.litert_precision import LowPrecision, PrecisionComparison, export_precision
from tellapart.exporting.parity import Images, bundle_probabilities, litert
from tellapart.judging.intervals import Estimate
from tellapart.judging.paired import Comparison, McNemar


def tensor_types(path: Path) -> set[str]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    return {np.dtype(tensor["dtype"]).name for tensor in interpreter.get_tensor_details()}


@pytest.mark.parametrize(("precision", "within"), [("float16", 0.02), ("int8", 0.2)])
def test_a_lower_precision_is_written_with_its_accuracy(
    precision: LowPrecision,
    within: float,
    kinds: dict[str, Bundle],
    unseen_images: Dataset,
    pixels: Images,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    result, comparison = export_precision(kinds["network"], unseen_images, to="litert", out=out, precision=precision)
    assert precision in tensor_types(out / "model.tflite")
    assert comparison.comparison.n > 0
    assert result.parity.same >= 110
    probs = litert(out / "model.tflite").predict(pixels)
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-5)  # int8 probabilities would be multiples of 1/256
    np.testing.assert_allclose(probs, bundle_probabilities(kinds["network"], pixels), atol=within)
    assert json.loads((out / "export.json").read_text())[precision]["accuracy"] == comparison.accuracy


def test_a_precision_that_costs_accuracy_is_refused_with_the_numbers(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interval = Estimate(-0.05, -0.08, -0.02)
    worse = PrecisionComparison(
        "float16", 0.75, 0.8, Comparison(100, interval, interval, McNemar(0, 5, 0.1)), 90, 0.4, 1_000_000
    )
    monkeypatch.setattr(litert_precision, "compare_precision", lambda *_: worse)
    monkeypatch.setattr(litert_precision, "_write", lambda _, path, *__: path.write_bytes(b"none"))
    with pytest.raises(BundleError, match=r"float16 loses too much .*accuracy 75\.0% against 80\.0%.*at most 1 point"):
        export_precision(kinds["network"], unseen_images, to="litert", out=tmp_path / "out", precision="float16")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("difference", "accurate"), [(0.02, True), (-0.01, True), (-0.011, False)])
def test_at_most_a_point_of_accuracy_may_be_lost(difference: float, accurate: bool) -> None:
    interval = Estimate(difference, difference - 0.01, difference + 0.01)
    comparison = Comparison(1000, interval, Estimate(0, 0, 0), McNemar(0, 0, 1.0))
    result = PrecisionComparison("int8", 0.8 + difference, 0.8, comparison, 990, 0.1, 1_000_000)
    assert result.accurate is accurate
    assert f"{100 * difference:+.1f} points" in result.summary()
    assert "the same class on 990, probabilities differ by up to 0.1; 1 MB" in result.summary()


def test_only_litert_has_them(kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="float16 requires LiteRT: use --to litert --float16"):
        export_precision(kinds["network"], unseen_images, to="onnx", out=tmp_path / "out", precision="float16")
    with pytest.raises(BundleError, match="no Keras network to export to litert"):
        export_precision(kinds["knn"], unseen_images, to="litert", out=tmp_path / "out", precision="int8")
    assert list(tmp_path.iterdir()) == []
