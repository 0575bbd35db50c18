"""Every format with every kind of bundle: the export agrees with the bundle, or a message says why not."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tellapart import Bundle, Dataset
from tellapart.bundles.compile import compile_bundle
from tellapart.errors import BundleError
from tellapart.exporting.export import LABELS, METADATA, export
from tellapart.exporting.formats import FORMATS, bundle_kind
from tellapart.exporting.parity import Images
from tellapart.files import sha256

KINDS = ("network", "mirrored", "imported", "knn", "logistic", "forest")
RUNTIMES = {
    "openvino": "openvino",
    "onnx": "onnxruntime",
    "litert": "litert",
    "savedmodel": "tensorflow",
    "keras": "keras",
    "h5": "keras",
}
REFUSED = {("h5", "mirrored")}  # .h5 files store layers only, and flipping is not a layer


def supported(to: str, kind: str, bundle: Bundle) -> bool:
    return bundle_kind(bundle) in FORMATS[to].kinds and (to, kind) not in REFUSED


def bundle_probs(bundle: Bundle, pixels: Images) -> np.ndarray:
    runner = compile_bundle(bundle, batch=len(pixels), precision="float32")
    return next(iter(runner.run([pixels])))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("to", FORMATS)
def test_an_export_agrees_with_its_bundle(
    to: str, kind: str, kinds: dict[str, Bundle], unseen_images: Dataset, pixels: Images, tmp_path: Path
) -> None:
    bundle, out = kinds[kind], tmp_path / "out"
    if not supported(to, kind, bundle):
        with pytest.raises(BundleError, match=r"predict and serve|use openvino or onnx|Export it to keras"):
            export(bundle, unseen_images, to=to, out=out)
        assert list(tmp_path.iterdir()) == []
        return
    result = export(bundle, unseen_images, to=to, out=out)
    assert (result.parity.images, result.parity.unseen, result.parity.same) == (120, True, 120)
    assert result.parity.largest_difference < 1e-4
    assert result.parity.runtime == RUNTIMES[to]
    assert 0 < result.bytes < 3e6
    runtime = FORMATS[to].open(out / FORMATS[to].file)
    expected = bundle_probs(bundle, pixels[:8])
    assert expected.max(axis=1).min() < 0.9999 or kind in ("knn", "logistic")  # not a trivial comparison
    for count in (8, 1, 3):
        np.testing.assert_allclose(runtime.predict(pixels[:count]), expected[:count], atol=1e-4)


def test_the_metadata_describes_how_to_run_the_export(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path
) -> None:
    bundle = kinds["network"]
    result = export(bundle, unseen_images, to="openvino", out=tmp_path / "out")
    assert sorted(path.name for path in result.folder.iterdir()) == [
        METADATA, LABELS, "model.bin", "model.xml", "reference.py", "test-image.png"
    ]  # fmt: skip
    assert (result.folder / LABELS).read_text() == "blue\ngreen\nred\n"
    metadata = json.loads((result.folder / METADATA).read_text())
    assert metadata["preprocessing"] == json.loads((bundle.folder / "bundle.json").read_text())["preprocessing"]
    assert metadata["input"] == {"name": "pictures", "dtype": "uint8", "shape": [None, 20, 20, 3]}
    assert metadata["output"]["shape"] == [None, 3]
    assert (metadata["format"], metadata["file"], metadata["temperature"]) == ("openvino", "model.xml", 2.5)
    assert metadata["bundle_sha256"] == sha256(bundle.folder / "bundle.json")
    assert metadata["agreement"] == result.parity.as_json()


def test_an_onnx_model_names_its_input_and_output(
    kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path
) -> None:
    import onnx
    import onnxruntime

    for kind in ("network", "knn"):
        export(kinds[kind], unseen_images, to="onnx", out=tmp_path / kind)
        session = onnxruntime.InferenceSession(tmp_path / kind / "model.onnx", providers=["CPUExecutionProvider"])
        assert [(value.name, value.type, value.shape[1:]) for value in session.get_inputs()] == [
            ("pictures", "tensor(uint8)", [20, 20, 3])
        ]
        assert [(value.name, value.shape[1:]) for value in session.get_outputs()] == [("probabilities", [3])]
        assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == list(kinds[kind].classes)
        onnx.checker.check_model(onnx.load(tmp_path / kind / "model.onnx"), full_check=True)


def test_a_litert_model_names_its_classes(kinds: dict[str, Bundle], unseen_images: Dataset, tmp_path: Path) -> None:
    """As files behind the model, which `unzip` lists; the model itself still runs."""
    result = export(kinds["network"], unseen_images, to="litert", out=tmp_path / "out")
    assert result.parity.same == result.parity.images
    with zipfile.ZipFile(tmp_path / "out" / "model.tflite") as archive:
        assert archive.read("labels.txt").decode() == "blue\ngreen\nred\n"
        assert json.loads(json.loads(archive.read("metadata.json"))["classes"]) == ["blue", "green", "red"]
