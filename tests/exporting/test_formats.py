"""Every format of the table against every kind of bundle: it agrees with the bundle, or a sentence says why not."""

import json
from pathlib import Path

import numpy as np
import pytest

from tellapart import Bundle, Dataset
from tellapart.bundles.compile import compile_bundle
from tellapart.errors import BundleError
from tellapart.exporting.export import FACTS, LABELS, export
from tellapart.exporting.formats import FORMATS, kind_of
from tellapart.exporting.runtimes import Images
from tellapart.files import sha256

KINDS = ("network", "mirrored", "adopted", "knn", "logistic", "forest")
RUNTIMES = {
    "openvino": "openvino",
    "onnx": "onnxruntime",
    "litert": "litert",
    "savedmodel": "tensorflow",
    "keras": "keras",
    "h5": "keras",
}
REFUSED = {("h5", "mirrored")}  # that file holds layers only, and turning images round is none


def possible(to: str, kind: str, bundle: Bundle) -> bool:
    return kind_of(bundle) in FORMATS[to].kinds and (to, kind) not in REFUSED


def expected(bundle: Bundle, pixels: Images) -> np.ndarray:
    runner = compile_bundle(bundle, batch=len(pixels), precision="float32")
    return next(iter(runner.run([pixels])))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("to", FORMATS)
def test_what_is_exported_says_what_the_bundle_says(
    to: str, kind: str, kinds: dict[str, Bundle], strangers: Dataset, pixels: Images, tmp_path: Path
) -> None:
    bundle, out = kinds[kind], tmp_path / "out"
    if not possible(to, kind, bundle):
        with pytest.raises(BundleError, match=r"predict and serve|use openvino or onnx|Export it to keras"):
            export(bundle, strangers, to=to, out=out)
        assert list(tmp_path.iterdir()) == []
        return
    found = export(bundle, strangers, to=to, out=out)
    assert (found.parity.images, found.parity.unseen, found.parity.same) == (120, True, 120)
    assert found.parity.largest_difference < 1e-4
    assert found.parity.runtime == RUNTIMES[to]
    assert 0 < found.bytes < 3e6
    opened = FORMATS[to].opened(out / FORMATS[to].file)
    answers = expected(bundle, pixels[:8])
    assert answers.max(axis=1).min() < 0.9999 or kind in ("knn", "logistic")  # there is something to agree on
    for count in (8, 1, 3):
        np.testing.assert_allclose(opened.ask(pixels[:count]), answers[:count], atol=1e-4)


def test_beside_it_is_all_that_whoever_runs_it_must_know(
    kinds: dict[str, Bundle], strangers: Dataset, tmp_path: Path
) -> None:
    bundle = kinds["network"]
    found = export(bundle, strangers, to="openvino", out=tmp_path / "out")
    assert sorted(path.name for path in found.folder.iterdir()) == [FACTS, LABELS, "model.bin", "model.xml"]
    assert (found.folder / LABELS).read_text() == "blue\ngreen\nred\n"
    facts = json.loads((found.folder / FACTS).read_text())
    assert facts["preprocessing"] == json.loads((bundle.folder / "bundle.json").read_text())["preprocessing"]
    assert facts["input"] == {"name": "pictures", "dtype": "uint8", "shape": [None, 20, 20, 3]}
    assert facts["output"]["shape"] == [None, 3]
    assert (facts["format"], facts["file"], facts["temperature"]) == ("openvino", "model.xml", 2.5)
    assert facts["bundle_sha256"] == sha256(bundle.folder / "bundle.json")
    assert facts["agreement"] == found.parity.as_json()


def test_the_names_of_input_and_output_are_in_the_files(
    kinds: dict[str, Bundle], strangers: Dataset, tmp_path: Path
) -> None:
    import onnx
    import onnxruntime

    for kind in ("network", "knn"):
        export(kinds[kind], strangers, to="onnx", out=tmp_path / kind)
        session = onnxruntime.InferenceSession(tmp_path / kind / "model.onnx", providers=["CPUExecutionProvider"])
        assert [(one.name, one.type, one.shape[1:]) for one in session.get_inputs()] == [
            ("pictures", "tensor(uint8)", [20, 20, 3])
        ]
        assert [(one.name, one.shape[1:]) for one in session.get_outputs()] == [("probabilities", [3])]
        onnx.checker.check_model(onnx.load(tmp_path / kind / "model.onnx"), full_check=True)
