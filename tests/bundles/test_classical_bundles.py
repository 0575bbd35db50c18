"""A bundle of an estimator is whole and as it was written, or it is refused."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart import Bundle, Dataset, Predictor, Recipe, evaluate, train
from tellapart.bundles.bundle import write_manifest
from tellapart.bundles.compile import PIXEL_BATCH, compile_bundle
from tellapart.bundles.manifest import MANIFEST
from tellapart.engine import Precision, write_graph
from tellapart.errors import BundleError, MissingPackageError, require
from tellapart.models.classical import estimators
from tellapart.models.graphs.estimator_graphs import pixel_graph

MODELS = ("knn", "forest", "logistic")
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
OWN = {"knn": "head.xml", "forest": "estimator.skops", "logistic": "head.bin"}


@pytest.fixture(scope="module")
def bundles(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    recipe = Recipe(features="pixels", size=20, trees=20, precision="float32")
    runs = {name: train(Dataset.open(tiny), replace(recipe, model=name), out=folder / name) for name in MODELS}
    return {name: run.bundle.folder for name, run in runs.items()}


@pytest.fixture(params=MODELS)
def folder(request: pytest.FixtureRequest, bundles: dict[str, Path], tmp_path: Path, sandbox_here: None) -> Path:
    """A bundle to be damaged."""
    return Path(shutil.copytree(bundles[request.param], tmp_path / request.param))


def refused(folder: Path) -> str:
    with pytest.raises(BundleError) as refusal:
        Predictor(folder)
    with pytest.raises(BundleError):
        Bundle.open(folder).verify()
    return str(refusal.value)


def sealed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and seal it again, as an attacker could."""
    fields = json.loads((folder / MANIFEST).read_text())
    del fields["sha256"]
    change(fields)
    seal = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps({**fields, "sha256": seal}))


def test_a_missing_file_is_refused_by_name(folder: Path) -> None:
    for name in (OWN[folder.name], "model.xml", "splits.json"):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        assert f"lacks {name}" in refused(folder)
        (folder / name).write_bytes(content)
    Bundle.open(folder).verify()


def test_an_altered_file_is_refused_by_name(folder: Path) -> None:
    path = folder / OWN[folder.name]
    content = path.read_bytes()
    middle = len(content) // 2
    for changed in (content[:-1], b"", content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]):
        path.write_bytes(changed)
        assert f"{path.name} is not the file that was written" in refused(folder)


def test_a_file_of_another_kind_is_refused_even_where_the_manifest_names_it(folder: Path) -> None:
    others = [
        name for name in ("model.keras", "model.pkl", "head.xml", "estimator.skops") if not (folder / name).exists()
    ]
    manifest = (folder / "bundle.json").read_bytes()
    assert len(others) == 3
    for extra in others:
        (folder / extra).write_bytes(b"x")
        assert extra in refused(folder)
        sealed(folder, partial(_named, extra))
        assert "has " in refused(folder) or "lacks " in refused(folder)
        (folder / "bundle.json").write_bytes(manifest)
        (folder / extra).unlink()


def _named(extra: str, fields: dict[str, Any]) -> None:
    fields["files"][extra] = hashlib.sha256(b"x").hexdigest()


def test_a_required_file_that_the_manifest_omits_is_refused(folder: Path) -> None:
    sealed(folder, lambda fields: fields["files"].pop("splits.json"))
    (folder / "splits.json").unlink()
    assert "lacks splits.json" in refused(folder)


def test_other_classes_than_the_estimators_are_refused_though_all_hashes_are_right(folder: Path) -> None:
    write_manifest(folder, replace(Bundle.open(folder).manifest, classes=("blue", "green")))
    sentence = refused(folder)
    assert "names 2 classes, its graph has 3 outputs" in sentence or "is not a forest for 2 classes" in sentence


def test_a_graph_of_another_width_is_refused_though_all_hashes_are_right(folder: Path) -> None:
    write_graph(pixel_graph(10, 10, 3), folder / "model.xml")
    write_manifest(folder, Bundle.open(folder).manifest)
    assert "has 300 features, its estimator expects 1200" in refused(folder)


def test_an_invalid_estimator_is_refused_though_all_hashes_are_right(folder: Path) -> None:
    name = OWN[folder.name].replace(".bin", ".xml")
    (folder / name).write_text("<net>")
    write_manifest(folder, Bundle.open(folder).manifest)
    assert f"{name} is not a" in refused(folder)


def test_an_unknown_estimator_is_refused_by_name_though_all_hashes_are_right(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    from sklearn.preprocessing import FunctionTransformer

    folder = Path(shutil.copytree(bundles["forest"], tmp_path / "forest"))
    require("skops.io", extra="train").dump(FunctionTransformer(np.save), folder / "estimator.skops")
    write_manifest(folder, Bundle.open(folder).manifest)
    assert "FunctionTransformer" in refused(folder)


def test_a_forest_without_scikit_learn_names_the_missing_package(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(module: str, *, extra: str) -> None:
        raise MissingPackageError(f"this needs {module}: pip install 'tellapart[{extra}]'")

    monkeypatch.setattr(estimators, "require", absent)
    Predictor(bundles["knn"])
    with pytest.raises(MissingPackageError, match=r"skops.*tellapart\[train\]"):
        Predictor(bundles["forest"])


def test_pixels_run_in_large_batches_and_single_images_alone(bundles: dict[str, Path]) -> None:
    bundle = Bundle.open(bundles["knn"])
    assert [compile_bundle(bundle, batch=batch).batch for batch in (1, 8, 500)] == [1, PIXEL_BATCH, 500]


def test_a_single_image_is_predicted_as_in_a_batch(folder: Path, tiny: Path) -> None:
    predictor = Predictor(folder)
    files = sorted(map(str, tiny.rglob("*.png")))
    for path, answer in zip(files[::7], list(predictor.predict(files))[::7], strict=True):
        alone = predictor.predict_one(Path(path).read_bytes(), path=path).as_json()
        result = answer.as_json()
        assert alone["label"] == result["label"]
        assert alone["probability"] == pytest.approx(result["probability"], abs=1e-5)


def test_estimators_on_pixels_evaluate_equally_in_bfloat16(folder: Path, tiny: Path) -> None:
    dataset = Dataset.open(tiny)
    first, second = (evaluate(folder, dataset, precision=precision).as_json() for precision in PRECISIONS)
    assert first == second
