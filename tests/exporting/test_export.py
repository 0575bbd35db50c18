"""An export is checked on real images, and is whole or not there at all."""

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
from tellapart.bundles.bundle import GRAPH
from tellapart.bundles.calibrate import calibrate
from tellapart.bundles.predictor import Prediction, Predictor
from tellapart.engine import read_graph
from tellapart.errors import BundleError, DatasetError, MissingPackageError, RecipeError, StorageError
from tellapart.exporting import formats, runtimes
from tellapart.exporting.export import export
from tellapart.exporting.formats import FORMATS
from tellapart.exporting.parity import sample_of
from tellapart.exporting.runtimes import Images, Opened, Probabilities
from tellapart.judging.calibration import apply_temperature
from tellapart.training.import_model import import_model
from tellapart.training.run import Run

from .nursery import TEMPERATURE


def changed(monkeypatch: pytest.MonkeyPatch, change: Callable[[Probabilities], Probabilities]) -> None:
    """Let what is exported to OpenVINO answer otherwise."""

    def opened(path: Path) -> Opened:
        true = runtimes.openvino(path)
        return Opened(true.runtime, lambda images: change(true.ask(images)))

    monkeypatch.setitem(dict_of_formats(), "openvino", replace(FORMATS["openvino"], opened=opened))


def dict_of_formats() -> dict[str, formats.Format]:
    assert isinstance(FORMATS, dict)
    return FORMATS


def all_alike(answers: Probabilities) -> Probabilities:
    return np.full_like(answers, 1 / 3)


def no_numbers(answers: Probabilities) -> Probabilities:
    return np.where(np.arange(answers.shape[1]) == answers.shape[1] - 1, np.float32(np.nan), answers)


def one_class_less(answers: Probabilities) -> Probabilities:
    return answers[:, 1:]


@pytest.mark.parametrize(
    ("change", "said"),
    [(all_alike, "disagrees with the bundle"), (no_numbers, "disagrees"), (one_class_less, r"\(120, 2\)")],
)
def test_an_export_that_disagrees_is_removed(
    change: Callable[[Probabilities], Probabilities],
    said: str,
    kinds: dict[str, Bundle],
    strangers: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed(monkeypatch, change)
    with pytest.raises(BundleError, match=said):
        export(kinds["network"], strangers, to="openvino", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_one_image_in_two_hundred_may_turn_over_by_rounding(
    kinds: dict[str, Bundle], coloured: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, turned = Dataset.open(coloured(tmp_path / "many", each=70)), [1]

    def some(answers: Probabilities) -> Probabilities:
        rows, turned[0] = turned[0], 0
        return np.concatenate([np.roll(answers[:rows], 1, axis=1), answers[rows:]])

    changed(monkeypatch, some)
    assert export(kinds["network"], dataset, to="openvino", out=tmp_path / "one").parity.same == 199
    turned[0] = 2
    with pytest.raises(BundleError, match=r"198 of 200 images, expected 99\.5%"):
        export(kinds["network"], dataset, to="openvino", out=tmp_path / "two")


def test_a_failing_converter_leaves_a_sentence_and_nothing_else(
    kinds: dict[str, Bundle], strangers: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Bundle, path: Path) -> None:
        path.write_text("half")
        raise ValueError("No rule for SomeOp\nand more")

    monkeypatch.setitem(dict_of_formats(), "onnx", replace(FORMATS["onnx"], write=fails))
    with pytest.raises(
        BundleError, match=r"cannot be written as model\.onnx: No rule for SomeOp\. Export it to another"
    ):
        export(kinds["network"], strangers, to="onnx", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_nothing_left(
    kinds: dict[str, Bundle], strangers: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Bundle, path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setitem(dict_of_formats(), "onnx", replace(FORMATS["onnx"], write=full))
    with pytest.raises(StorageError, match="the disk is full"):
        export(kinds["network"], strangers, to="onnx", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_temperature_is_in_every_format_though_not_in_keras_copy(
    kinds: dict[str, Bundle], strangers: Dataset, pixels: Images, tmp_path: Path
) -> None:
    bundle = kinds["network"]
    bare = runtimes.keras(bundle.folder / "model.keras").ask(pixels[:8])
    calm = apply_temperature(bare, TEMPERATURE)
    assert np.abs(calm - bare).max() > 0.05
    for to in ("keras", "h5", "savedmodel"):
        export(bundle, strangers, to=to, out=tmp_path / to)
        opened = FORMATS[to].opened(tmp_path / to / FORMATS[to].file)
        np.testing.assert_allclose(opened.ask(pixels[:8]), calm, atol=1e-5)


@pytest.mark.parametrize(("kind", "to"), [("network", "keras"), ("network", "h5"), ("mirrored", "keras")])
def test_what_was_exported_for_keras_can_be_adopted(
    kind: str, to: str, kinds: dict[str, Bundle], strangers: Dataset, tiny: Path, tmp_path: Path
) -> None:
    found = export(kinds[kind], strangers, to=to, out=tmp_path / "out")
    model = found.folder / FORMATS[to].file
    again = import_model(model, classes=found.folder / "labels.txt", preprocess="none", out=tmp_path / "again")
    files = sorted(map(str, tiny.rglob("*.png")))[:8]
    for mine, theirs in zip(Predictor(kinds[kind]).predict(files), Predictor(again).predict(files), strict=True):
        assert isinstance(mine, Prediction)
        assert isinstance(theirs, Prediction)
        assert theirs.label == mine.label
        assert theirs.probability == pytest.approx(mine.probability, abs=0.02)


def test_how_strange_a_image_is_stays_behind(trained: Run, tiny: Path, strangers: Dataset, tmp_path: Path) -> None:
    calibrate(trained.bundle, Dataset.open(tiny), out=tmp_path / "calibrated", coverage=0.9)
    bundle = Bundle.open(tmp_path / "calibrated")
    assert bundle.reject
    assert len(bundle.graph.outputs) == 2
    found = export(bundle, strangers, to="openvino", out=tmp_path / "out")
    assert len(read_graph(found.folder / GRAPH).outputs) == 1
    assert str(bundle.reject.probability) in (found.folder / "export.json").read_text()


def test_few_unseen_images_are_helped_out_with_others_and_that_is_said(
    trained: Run, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = export(trained.bundle, Dataset.open(tiny), to="openvino", out=tmp_path / "out")
    assert (found.parity.images, found.parity.unseen) == (36, False)
    assert (
        "under 100 images that training did not see: compared on the others too, 36 in all" in capsys.readouterr().err
    )


def test_images_that_cannot_be_read_are_passed_over(
    kinds: dict[str, Bundle], coloured: Callable[..., Path], tmp_path: Path
) -> None:
    folder = coloured(tmp_path / "data", each=36)
    (folder / "red" / "00.png").write_bytes(b"none")
    assert len(sample_of(kinds["network"], Dataset.open(folder)).pixels) == 107
    for file in folder.rglob("*.png"):
        file.write_bytes(file.name.encode() + b"none")
    with pytest.raises(DatasetError, match="no image of data can be read"):
        sample_of(kinds["network"], Dataset.open(folder))


def test_other_classes_are_refused(kinds: dict[str, Bundle], coloured: Callable[..., Path], tmp_path: Path) -> None:
    folder = coloured(tmp_path / "data", each=2)
    (folder / "red").rename(folder / "pink")
    with pytest.raises(DatasetError, match="pink"):
        export(kinds["network"], Dataset.open(folder), to="onnx", out=tmp_path / "out")


def test_what_cannot_be_done_is_refused_before_any_work(
    kinds: dict[str, Bundle], strangers: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellapart.exporting.export.sample_of", lambda *_: pytest.fail("it was begun"))
    bundle = kinds["network"]
    with pytest.raises(RecipeError, match="did you mean onnx"):
        export(bundle, strangers, to="onxx", out=tmp_path / "out")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine").write_text("")
    with pytest.raises(StorageError, match="is there already"):
        export(bundle, strangers, to="onnx", out=tmp_path / "used")
    broken = Path(shutil.copytree(bundle.folder, tmp_path / "broken"))
    (broken / "model.bin").write_bytes(b"")
    with pytest.raises(BundleError, match="not the file that was written"):
        export(broken, strangers, to="onnx", out=tmp_path / "out")


@pytest.mark.parametrize(
    ("to", "module", "extra"),
    [("onnx", "tf2onnx.convert", "onnx"), ("onnx", "onnx", "onnx"), ("litert", "ai_edge_litert", "litert")],
)
def test_a_package_that_is_missing_is_named_with_its_extra(
    to: str,
    module: str,
    extra: str,
    kinds: dict[str, Bundle],
    strangers: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=rf"{module}.*tellapart\[{extra}\]"):
        export(kinds["network"], strangers, to=to, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_without_onnxruntime_openvino_checks(
    kinds: dict[str, Bundle], strangers: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    found = export(kinds["logistic"], strangers, to="onnx", out=tmp_path / "out")
    assert (found.parity.runtime, found.parity.same) == ("openvino", 120)
