"""Exports are verified on real images, and are written completely or not at all."""

import errno
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart import Bundle, Dataset
from tellapart.bundles.calibrate import calibrate
from tellapart.bundles.manifest import GRAPH
from tellapart.bundles.predictor import Prediction, Predictor
from tellapart.engine import read_graph
from tellapart.errors import BundleError, DatasetError, MissingPackageError, RecipeError, StorageError
from tellapart.exporting import formats, parity
from tellapart.exporting.export import export
from tellapart.exporting.formats import FORMATS
from tellapart.exporting.parity import Images, Probabilities, Runtime, draw_sample
from tellapart.judging.calibration import apply_temperature
from tellapart.training.import_model import import_model
from tellapart.training.run import Run

from .bundle_fixtures import TEMPERATURE


def patch_openvino(monkeypatch: pytest.MonkeyPatch, change: Callable[[Probabilities], Probabilities]) -> None:
    """Change the probabilities of OpenVINO exports."""

    def open_changed(path: Path) -> Runtime:
        runtime = parity.openvino(path)
        return Runtime(runtime.name, lambda images: change(runtime.predict(images)))

    monkeypatch.setitem(dict_of_formats(), "openvino", replace(FORMATS["openvino"], open=open_changed))


def dict_of_formats() -> dict[str, formats.Format]:
    assert isinstance(FORMATS, dict)
    return FORMATS


def uniform(probs: Probabilities) -> Probabilities:
    return np.full_like(probs, 1 / 3)


def with_nan(probs: Probabilities) -> Probabilities:
    return np.where(np.arange(probs.shape[1]) == probs.shape[1] - 1, np.float32(np.nan), probs)


def without_first_class(probs: Probabilities) -> Probabilities:
    return probs[:, 1:]


@pytest.mark.parametrize(
    ("change", "message"),
    [(uniform, "disagrees with the bundle"), (with_nan, "disagrees"), (without_first_class, r"\(120, 2\)")],
)
def test_an_export_that_disagrees_is_removed(
    change: Callable[[Probabilities], Probabilities],
    message: str,
    kinds: dict[str, Bundle],
    unseen_images: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patch_openvino(monkeypatch, change)
    with pytest.raises(BundleError, match=message):
        export(kinds["network"], unseen_images, to="openvino", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_one_image_in_two_hundred_may_differ(
    kinds: dict[str, Bundle], coloured: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, changed = Dataset.open(coloured(tmp_path / "many", each=70)), [1]

    def change_first(probs: Probabilities) -> Probabilities:
        rows, changed[0] = changed[0], 0
        return np.concatenate([np.roll(probs[:rows], 1, axis=1), probs[rows:]])

    patch_openvino(monkeypatch, change_first)
    assert export(kinds["network"], dataset, to="openvino", out=tmp_path / "one").parity.same == 199
    changed[0] = 2
    with pytest.raises(BundleError, match=r"198 of 200 images, expected 99\.5%"):
        export(kinds["network"], dataset, to="openvino", out=tmp_path / "two")


def test_a_failing_converter_is_an_error_and_leaves_nothing(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Bundle, path: Path) -> None:
        path.write_text("half")
        raise ValueError("No rule for SomeOp\nand more")

    monkeypatch.setitem(dict_of_formats(), "onnx", replace(FORMATS["onnx"], write=fails))
    with pytest.raises(
        BundleError, match=r"cannot be exported as model\.onnx: No rule for SomeOp\. Export it to another"
    ):
        export(kinds["network"], unseen_images, to="onnx", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_and_leaves_nothing(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Bundle, path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setitem(dict_of_formats(), "onnx", replace(FORMATS["onnx"], write=full))
    with pytest.raises(StorageError, match="the disk is full"):
        export(kinds["network"], unseen_images, to="onnx", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_temperature_is_in_every_format_though_not_in_the_keras_copy(
    kinds: dict[str, Bundle], unseen_images: Dataset, pixels: Images, tmp_path: Path
) -> None:
    bundle = kinds["network"]
    unscaled = parity.keras(bundle.folder / "model.keras").predict(pixels[:8])
    scaled = apply_temperature(unscaled, TEMPERATURE)
    assert np.abs(scaled - unscaled).max() > 0.05
    for to in ("keras", "h5", "savedmodel"):
        export(bundle, unseen_images, to=to, out=tmp_path / to)
        runtime = FORMATS[to].open(tmp_path / to / FORMATS[to].file)
        np.testing.assert_allclose(runtime.predict(pixels[:8]), scaled, atol=1e-5)


@pytest.mark.parametrize(("kind", "to"), [("network", "keras"), ("network", "h5"), ("mirrored", "keras")])
def test_an_export_to_keras_can_be_imported(
    kind: str, to: str, kinds: dict[str, Bundle], unseen_images: Dataset, tiny: Path, tmp_path: Path
) -> None:
    result = export(kinds[kind], unseen_images, to=to, out=tmp_path / "out")
    model = result.folder / FORMATS[to].file
    imported = import_model(model, classes=result.folder / "labels.txt", preprocess="none", out=tmp_path / "imported")
    files = sorted(map(str, tiny.rglob("*.png")))[:8]
    for original, copy in zip(Predictor(kinds[kind]).predict(files), Predictor(imported).predict(files), strict=True):
        assert isinstance(original, Prediction)
        assert isinstance(copy, Prediction)
        assert copy.label == original.label
        assert copy.probability == pytest.approx(original.probability, abs=0.02)


def test_an_export_has_no_ood_score(trained: Run, tiny: Path, unseen_images: Dataset, tmp_path: Path) -> None:
    calibrate(trained.bundle, Dataset.open(tiny), out=tmp_path / "calibrated", coverage=0.9)
    bundle = Bundle.open(tmp_path / "calibrated")
    assert bundle.reject
    assert len(bundle.graph.outputs) == 2
    result = export(bundle, unseen_images, to="openvino", out=tmp_path / "out")
    assert len(read_graph(result.folder / GRAPH).outputs) == 1
    assert str(bundle.reject.probability) in (result.folder / "export.json").read_text()


def test_too_few_unseen_images_are_complemented_with_seen_ones(
    trained: Run, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = export(trained.bundle, Dataset.open(tiny), to="openvino", out=tmp_path / "out")
    assert (result.parity.images, result.parity.unseen) == (36, False)
    assert "fewer than 100 unseen images: comparing on seen ones too, 36 in total" in capsys.readouterr().err


def test_unreadable_images_are_skipped(kinds: dict[str, Bundle], coloured: Callable[..., Path], tmp_path: Path) -> None:
    folder = coloured(tmp_path / "data", each=36)
    (folder / "red" / "00.png").write_bytes(b"none")
    assert len(draw_sample(kinds["network"], Dataset.open(folder)).images) == 107
    for file in folder.rglob("*.png"):
        file.write_bytes(file.name.encode() + b"none")
    with pytest.raises(DatasetError, match="no image of data can be read"):
        draw_sample(kinds["network"], Dataset.open(folder))


def test_other_classes_are_refused(kinds: dict[str, Bundle], coloured: Callable[..., Path], tmp_path: Path) -> None:
    folder = coloured(tmp_path / "data", each=2)
    (folder / "red").rename(folder / "pink")
    with pytest.raises(DatasetError, match="pink"):
        export(kinds["network"], Dataset.open(folder), to="onnx", out=tmp_path / "out")


def test_an_impossible_export_is_refused_before_any_work(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellapart.exporting.export.draw_sample", lambda *_: pytest.fail("it was begun"))
    bundle = kinds["network"]
    with pytest.raises(RecipeError, match="did you mean onnx"):
        export(bundle, unseen_images, to="onxx", out=tmp_path / "out")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine").write_text("")
    with pytest.raises(StorageError, match="is there already"):
        export(bundle, unseen_images, to="onnx", out=tmp_path / "used")
    broken = Path(shutil.copytree(bundle.folder, tmp_path / "broken"))
    (broken / "model.bin").write_bytes(b"")
    with pytest.raises(BundleError, match="not the file that was written"):
        export(broken, unseen_images, to="onnx", out=tmp_path / "out")


@pytest.mark.parametrize(
    ("to", "module", "extra"),
    [("onnx", "tf2onnx.convert", "onnx"), ("onnx", "onnx", "onnx"), ("litert", "ai_edge_litert", "litert")],
)
def test_a_missing_package_is_named_with_its_extra(
    to: str,
    module: str,
    extra: str,
    kinds: dict[str, Bundle],
    unseen_images: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=rf"{module}.*tellapart\[{extra}\]"):
        export(kinds["network"], unseen_images, to=to, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_openvino_runs_onnx_without_onnxruntime(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    result = export(kinds["logistic"], unseen_images, to="onnx", out=tmp_path / "out")
    assert (result.parity.runtime, result.parity.same) == ("openvino", 120)
