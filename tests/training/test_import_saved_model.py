"""SavedModel folders, which TensorFlow 2.15 wrote, answer the same here; their process has no network and limits."""

import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.bundles.keras_network import load_network
from tellapart.bundles.manifest import KERAS
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import BundleError, RecipeError, WeightsError
from tellapart.training.import_model import import_model
from tellapart.training.saved_model_worker import refuse_sockets

FILES = Path(__file__).parent / "saved_models.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with zipfile.ZipFile(FILES) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "3.txt").write_text("a\nb\nc\n")
    (tmp_path / "2.txt").write_text("a\nb\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "preprocess", "size", "shape"),
    [
        ("folder", "none", None, (12, 12, 3)),
        ("grey_logits", "unit", None, (12, 12, 1)),
        ("any_sigmoid", "unit", 12, (12, 12, 3)),
    ],
)
def test_a_saved_model_answers_as_in_keras(
    folder: Path, name: str, preprocess: str, size: int | None, shape: tuple[int, int, int]
) -> None:
    stored = np.array(json.loads((folder / "answers.json").read_text())[name])
    classes = folder / f"{max(2, stored.shape[1])}.txt"
    bundle = import_model(
        folder / name,
        classes=classes,
        preprocess=preprocess,
        size=size,
        resize="keras-bilinear",
        out=folder / "bundle",
    )
    bundle.verify()
    assert bundle.preprocessing == Preprocessing(*shape, "stretch", "keras-bilinear")
    images = np.random.default_rng(1).integers(0, 256, (3, *shape), dtype=np.uint8)
    (probs,) = compile_bundle(bundle, batch=3, precision="float32").run([images])
    shifted = np.exp(stored - stored.max(axis=1, keepdims=True))
    expected = {
        "folder": stored,
        "grey_logits": shifted / shifted.sum(axis=1, keepdims=True),
        "any_sigmoid": np.hstack([1 - stored, stored]),
    }[name]
    np.testing.assert_allclose(probs, expected, atol=1e-5)


def test_a_bundle_without_layers_says_so(folder: Path) -> None:
    bundle = import_model(folder / "folder", classes=folder / "3.txt", preprocess="none", out=folder / "bundle")
    assert KERAS not in Bundle.open(bundle.folder).hashes
    with pytest.raises(BundleError, match="a SavedModel has no gradients"):
        load_network(bundle)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("folder", {"preprocess": "unit"}, "scales its input itself"),
        ("folder", {"preprocess": "none", "classes": "2.txt"}, "2 class names and 3 outputs"),
        ("any_sigmoid", {"preprocess": "tf"}, "does not say how images were made to fit"),
        ("any_sigmoid", {"preprocess": "tf", "resize": "keras-nearest", "classes": "2.txt"}, "choose one with --size"),
    ],
)
def test_what_does_not_fit_is_refused(folder: Path, name: str, options: dict[str, str], said: str) -> None:
    words = {"classes": "3.txt", **options}
    classes = folder / words.pop("classes")
    with pytest.raises((RecipeError, WeightsError)) as refusal:
        import_model(folder / name, classes=classes, out=folder / "bundle", **words)  # type: ignore[arg-type]
    assert said in str(refusal.value)
    assert not (folder / "bundle").exists()


def test_damaged_and_linked_files_are_refused(folder: Path) -> None:
    (folder / "grey_logits" / "saved_model.pb").write_bytes(b"\x08\x01" + os.urandom(500))
    (folder / "folder" / "variables" / "more").symlink_to("/etc/passwd")
    for name, said in (("grey_logits", "is not imported"), ("folder", "is a link or no regular file")):
        with pytest.raises(WeightsError, match=said):
            import_model(folder / name, classes=folder / "3.txt", preprocess="none", out=folder / "bundle")


def test_the_process_has_no_network() -> None:
    with pytest.raises(PermissionError, match="no network"):
        refuse_sockets("socket.connect", ())
    code = (
        "import socket\nfrom tellapart.training.saved_model_worker import leave_network\nleave_network()\n"
        "try:\n    socket.create_connection(('127.0.0.1', PORT), 5)\nexcept OSError as error:\n    print(error)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        words = [sys.executable, "-c", code.replace("PORT", port)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "no network" in done.stdout
