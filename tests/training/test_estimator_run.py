"""Runs of knn, forest and logistic: from images to a bundle that says what scikit-learn said."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tellapart import Bundle, Dataset, Prediction, Predictor, Recipe, evaluate, train
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.errors import RecipeError
from tellapart.judging.calibration import apply_temperature
from tellapart.models.classical.fit import REGULARISATION
from tellapart.models.resolved_recipe import resolve_estimator
from tellapart.serving.app import build_app
from tellapart.training import estimator_run
from tellapart.training.estimator_run import vector_source
from tellapart.training.prepare import draw_all_splits
from tellapart.training.run import Run

MODELS = ("knn", "forest", "logistic")
FEATURES = ("pixels", "mobilenet-v2")
FILES = {
    "knn": {"model.xml", "model.bin", "head.xml", "head.bin", "splits.json", "bundle.json"},
    "forest": {"model.xml", "model.bin", "estimator.skops", "splits.json", "bundle.json"},
    "logistic": {"model.xml", "model.bin", "head.xml", "head.bin", "splits.json", "bundle.json"},
}
Runs = Mapping[tuple[str, str], Run]
Probabilities = NDArray[np.float64]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _one_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(cache))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, awaken: Callable[[keras.Model], None]) -> str:
    """Weights of a backbone: random, but such that its features tell images apart."""
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3))
    awaken(network)
    path = str(tmp_path_factory.mktemp("weights") / "mobilenet-v2.weights.h5")
    network.save_weights(path)
    return path


def recipe_for(model: str, features: str, weights: str) -> Recipe:
    size, source = (20, None) if features == "pixels" else (32, weights)
    return Recipe(model=model, features=features, size=size, weights=source, trees=30, precision="float32")


@pytest.fixture(scope="module")
def runs(tiny: Path, weights: str, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder, dataset = tmp_path_factory.mktemp("runs"), Dataset.open(tiny)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(cache))
        return {
            (model, features): train(dataset, recipe_for(model, features, weights), out=folder / f"{model}-{features}")
            for model in MODELS
            for features in FEATURES
        }


@pytest.fixture(params=[(model, features) for model in MODELS for features in FEATURES], ids="-".join)
def run(request: pytest.FixtureRequest, runs: Runs) -> Run:
    return runs[request.param]


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory, coloured: Callable[..., Path]) -> list[Path]:
    """Images that no run has seen: enough for full batches and a rest."""
    return sorted(coloured(tmp_path_factory.mktemp("new") / "new", each=25, seed=5).rglob("*.png"))


class Bounded(StandardScaler):  # type: ignore[misc]
    """Divides by no less than a quarter of the mean deviation."""

    def fit(self, *arguments: object, **more: object) -> "Bounded":
        """Fit, then bound."""
        super().fit(*arguments, **more)
        deviations = np.sqrt(self.var_)
        self.scale_ = np.maximum(deviations, deviations.mean() / 4)
        return self


def by_scikit_learn(run: Run, tiny: Path, new: list[Path]) -> Probabilities:
    """Fit scikit-learn's own estimator on the run's features, and ask it."""
    recipe = resolve_estimator(run.recipe)
    dataset = draw_splits(Dataset.open(tiny), validation=recipe.validation, test=recipe.test, seed=recipe.split_seed)
    source, split = vector_source(dataset, recipe), dataset.splits["train"]
    vectors = source.vectors(split.images, "train").values
    asked = source.vectors(Dataset.open(new[0].parents[1]).splits["all"].images, "new").values
    model = {
        "knn": KNeighborsClassifier(recipe.neighbours, weights="distance"),
        "forest": RandomForestClassifier(recipe.trees, random_state=recipe.seed),
        "logistic": make_pipeline(Bounded(), LogisticRegression(C=REGULARISATION / vectors.shape[1], max_iter=300)),
    }[recipe.model]
    found: Probabilities = model.fit(vectors, split.labels).predict_proba(asked)
    return found


def ordered(bundle: Bundle, answer: Mapping[str, Any]) -> list[float]:
    found = {choice["label"]: choice["probability"] for choice in answer["top"]}
    return [found[name] for name in bundle.classes]


def by_predictor(bundle: Bundle, files: list[Path]) -> Probabilities:
    answers = Predictor(bundle).predict(files, top=3)
    return np.array([ordered(bundle, answer.as_json()) for answer in answers])


def by_http(bundle: Bundle, files: list[Path]) -> Probabilities:
    async def asked() -> list[httpx.Response]:
        app = build_app(Predictor(bundle))
        transport = httpx.ASGITransport(app)
        alive = app.router.lifespan_context(app)
        async with alive, httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.post("/predict", files={"image": (file.name, file.read_bytes())}) for file in files]

    answers = asyncio.run(asked())
    assert {answer.status_code for answer in answers} == {200}
    return np.array([ordered(bundle, answer.json()) for answer in answers])


def test_a_bundle_says_what_scikit_learn_says_by_python_and_by_http(run: Run, tiny: Path, new: list[Path]) -> None:
    expected = by_scikit_learn(run, tiny, new)
    bundle = Bundle.open(run.bundle.folder)
    assert (bundle.manifest.calibration is not None) == (run.recipe.model == "logistic")
    if bundle.manifest.calibration:
        expected = apply_temperature(expected, bundle.manifest.calibration["temperature"])
    assert expected.std(axis=0).max() > 0.1  # else agreement would say nothing
    # A forest compares numbers with thresholds: where one falls on the other side by rounding, a tree says otherwise.
    within = 0.1 if run.recipe.model == "forest" and run.recipe.features != "pixels" else 5e-3
    found = by_predictor(bundle, new)
    np.testing.assert_allclose(found, expected, atol=within)
    np.testing.assert_allclose(by_http(bundle, new[::10]), found[::10], atol=within)


def test_evaluating_the_bundle_repeats_what_the_run_measured(run: Run, tiny: Path) -> None:
    for split in ("validation", "test"):
        again = evaluate(run.bundle, Dataset.open(tiny), split=split)
        for metric, estimate in again.as_json().items():
            # The temperature of logistic is applied outside the graph in training: the last digits differ, and where
            # an image is on the edge of a bin of the calibration error a little more.
            within = 1e-2 if metric == "ece" else 1e-5
            assert estimate == pytest.approx(run.metrics[split][metric], rel=1e-3, abs=within), metric


def test_a_run_leaves_what_the_contract_names(run: Run) -> None:
    model = run.recipe.model
    assert {path.name for path in run.folder.iterdir()} - {"test-uses.json"} == {  # that is of the tests before
        "recipe.toml", "environment.json", "split.csv", "metrics.json", "answers", "bundle",
    }  # fmt: skip
    assert {path.name for path in run.bundle.folder.iterdir()} == FILES[model]
    manifest = json.loads((run.bundle.folder / "bundle.json").read_text())
    assert manifest["format"] == 1
    assert manifest["files"].keys() == FILES[model] - {"bundle.json"}
    assert manifest["licence"] == (None if run.recipe.features == "pixels" else "Apache-2.0")
    assert run.metrics["test"]["accuracy"]["value"] >= 0.5  # three classes


def test_the_features_are_those_of_the_base_and_are_computed_once(
    tiny: Path, weights: str, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.models.features import frozen_backbone

    monkeypatch.setattr(frozen_backbone, "_fill", None)
    recipe = replace(recipe_for("knn", "mobilenet-v2", weights), neighbours=2)
    assert train(Dataset.open(tiny), recipe, out=tmp_path / "run").metrics
    source = vector_source(Dataset.open(tiny), resolve_estimator(runs["knn", "mobilenet-v2"].recipe))
    assert source.backbone is not None
    assert source.backbone.width == 1280


def test_a_killed_run_is_done_again_with_the_same_result(
    tiny: Path, runs: Runs, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    recipe = recipe_for("forest", "pixels", weights)
    with monkeypatch.context() as patch:
        patch.setattr(estimator_run, "write_manifest", killed)
        with pytest.raises(KeyboardInterrupt):
            train(Dataset.open(tiny), recipe, out=tmp_path / "run")
    run = train(Dataset.open(tiny), recipe, out=tmp_path / "run", resume=True)
    assert run.metrics == runs["forest", "pixels"].metrics


def test_too_many_neighbours_are_refused_and_the_folder_is_free_again(tiny: Path, tmp_path: Path) -> None:
    recipe = Recipe(model="knn", features="pixels", size=20, neighbours=36)
    images = len(draw_all_splits(Dataset.open(tiny), recipe)[0].splits["train"])
    with pytest.raises(RecipeError, match=f"neighbours is 36, but there are {images} training images"):
        train(Dataset.open(tiny), recipe, out=tmp_path / "run")
    assert train(Dataset.open(tiny), replace(recipe, neighbours=images), out=tmp_path / "run").metrics


def test_unreadable_images_are_listed_and_never_fatal(tmp_path: Path, coloured: Callable[..., Path]) -> None:
    folder = coloured(tmp_path / "photos")
    for number in range(3):
        (folder / "blue" / f"{number:02}.png").write_bytes(b"corrupt " + bytes([number]))
    run = train(Dataset.open(folder), Recipe(model="knn", features="pixels", size=20), out=tmp_path / "run")
    assert len((run.folder / "skipped.csv").read_text().splitlines()) == 4
    seen = json.loads((run.bundle.folder / "splits.json").read_text())
    assert sum(map(len, seen.values())) + run.metrics["test"]["n"] == 33


def test_grey_arrays_are_told_apart_by_their_own_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = (rng.integers(0, 100, (60, 8, 8)) + 120 * labels[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "bright.npz", x=images, y=labels, classes=["dark", "bright"])
    run = train(Dataset.open(tmp_path / "bright.npz"), Recipe(model="logistic"), out=tmp_path / "run")
    assert (run.recipe.features, run.bundle.preprocessing.height, run.bundle.preprocessing.channels) == ("pixels", 8, 1)
    assert run.metrics["test"]["accuracy"]["value"] == 1


@pytest.mark.parametrize("model", MODELS)
def test_predicting_imports_scikit_learn_for_a_forest_only_and_never_tensorflow(
    model: str, runs: Runs, new: list[Path]
) -> None:
    code = (
        "import sys\nfrom tellapart import Predictor\n"
        "print(*[answer.label for answer in Predictor(sys.argv[1]).predict(sys.argv[2:])])\n"
        "print(*sorted({'keras', 'tensorflow', 'sklearn', 'skops'} & set(sys.modules)))\n"
    )
    bundle = runs[model, "mobilenet-v2"].bundle
    words = [sys.executable, "-c", code, str(bundle.folder), *map(str, new[:3])]
    labels, packages = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    answers = [answer.label for answer in Predictor(bundle).predict(new[:3]) if isinstance(answer, Prediction)]
    assert labels.split() == answers
    assert packages.split() == (["sklearn", "skops"] if model == "forest" else [])
