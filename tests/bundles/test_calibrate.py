"""A calibrated bundle rejects images consistently, and the original bundle is unchanged."""

import asyncio
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tellapart import Bundle, Dataset, Prediction, Predictor, Recipe, evaluate, train
from tellapart.bundles.calibrate import calibrate
from tellapart.bundles.reject import Reject
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.errors import BundleError, DatasetError, RecipeError, StorageError
from tellapart.serving.app import build_app
from tellapart.training.run import Run

RECIPES = {
    "network": Recipe(model="mlp", size=20, epochs=3, batch_size=8, precision="float32"),
    "mirrored": Recipe(model="cnn", size=20, epochs=3, batch_size=8, mirror=True, precision="float32"),
    "logistic": Recipe(model="logistic", features="pixels", size=20, precision="float32"),
    "knn": Recipe(model="knn", features="pixels", size=20, precision="float32"),
    "forest": Recipe(model="forest", features="pixels", size=20, trees=20, precision="float32"),
}
GRAPHS = tuple(name for name in RECIPES if name != "forest")
ENDINGS = {"network": "model", "mirrored": "model", "logistic": "head", "knn": "head"}
Runs = Mapping[str, Run]


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory, coloured: Callable[..., Path]) -> Path:
    """120 images, a few of them mislabelled, so that not every prediction is correct."""
    folder = coloured(tmp_path_factory.mktemp("data") / "colours", each=40, seed=4)
    for number in range(0, 40, 8):
        (folder / "red" / f"{number:02}.png").rename(folder / "blue" / f"wrong-{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def runs(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder, dataset = tmp_path_factory.mktemp("runs"), Dataset.open(colours)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
        return {name: train(dataset, recipe, out=folder / name) for name, recipe in RECIPES.items()}


@pytest.fixture(scope="module")
def calibrated(runs: Runs, colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Bundle]:
    """The bundle of each run, calibrated for the same coverage."""
    folder, dataset = tmp_path_factory.mktemp("calibrated"), Dataset.open(colours)
    for name, run in runs.items():
        calibrate(run.bundle, dataset, out=folder / name, coverage=0.8)
    return {name: Bundle.open(folder / name) for name in runs}


@pytest.fixture(scope="module")
def outliers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Images unlike the noisy colours: random black and white, and stripes."""
    folder, rng = tmp_path_factory.mktemp("outliers"), np.random.default_rng(0)
    images = [255 * rng.integers(0, 2, (20, 20, 3)) for _ in range(6)]
    images += [np.broadcast_to(255 * (np.arange(20) // width % 2)[:, None, None], (20, 20, 3)) for width in (1, 3)]
    for number, pixels in enumerate(images):
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def answers(bundle: Bundle, files: list[Path], top: int = 3) -> list[Prediction]:
    result = list(Predictor(bundle).predict(files, top=top))
    assert all(isinstance(prediction, Prediction) for prediction in result)
    return [prediction for prediction in result if isinstance(prediction, Prediction)]


def files_of(colours: Path, run: Run, split: str) -> list[Path]:
    parts = draw_splits(Dataset.open(colours), validation=run.recipe.validation or 0, test=run.recipe.test, seed=0)
    images = parts.splits[split].images
    return [Path(images.name(index)) for index in range(len(images))]


@pytest.mark.parametrize("name", RECIPES)
def test_the_calibrated_bundle_differs_only_in_its_last_graph(
    name: str, runs: Runs, calibrated: Mapping[str, Bundle]
) -> None:
    old, new = runs[name].bundle, Bundle.open(calibrated[name].folder)
    old.verify()
    new.verify()
    assert old.reject is None
    before, after = bytes_of(old.folder), bytes_of(new.folder)
    assert before.keys() == after.keys()
    changed = {file for file in before if before[file] != after[file]}
    ending = {f"{ENDINGS[name]}.xml", f"{ENDINGS[name]}.bin"} if name in ENDINGS else set()
    assert changed == {"bundle.json"} | ending


@pytest.mark.parametrize("name", RECIPES)
def test_the_original_bundle_is_unchanged(name: str, runs: Runs, colours: Path, tmp_path: Path) -> None:
    before = bytes_of(runs[name].bundle.folder)
    calibrate(runs[name].bundle.folder, Dataset.open(colours), out=tmp_path / "new", coverage=0.5)
    assert bytes_of(runs[name].bundle.folder) == before


@pytest.mark.parametrize("name", RECIPES)
def test_predictions_are_unchanged_and_rejected_below_the_threshold(
    name: str, runs: Runs, calibrated: Mapping[str, Bundle], colours: Path
) -> None:
    files = files_of(colours, runs[name], "validation")
    old, new = answers(runs[name].bundle, files), answers(calibrated[name], files)
    reject = calibrated[name].reject
    assert reject is not None
    assert [prediction.label for prediction in old] == [prediction.label for prediction in new]
    assert not any(prediction.unknown for prediction in old)
    assert all(prediction.unknown for prediction in new if prediction.probability < reject.probability)
    unconfident = sum(prediction.probability < reject.probability for prediction in new)
    rejected_outliers = sum(prediction.unknown and prediction.probability >= reject.probability for prediction in new)
    assert len(new) - unconfident >= 0.8 * len(new)
    assert rejected_outliers <= 0.01 * len(new)
    facts = calibrated[name].manifest.reject
    assert facts is not None
    assert facts["coverage"]["value"] == pytest.approx(1 - (unconfident + rejected_outliers) / len(new))
    assert facts["wanted"] == "coverage=0.8"


@pytest.mark.parametrize("name", GRAPHS)
def test_outliers_are_rejected(
    name: str, runs: Runs, calibrated: Mapping[str, Bundle], colours: Path, outliers: list[Path]
) -> None:
    assert sum(prediction.unknown for prediction in answers(calibrated[name], outliers)) >= len(outliers) - 1
    usual = answers(calibrated[name], files_of(colours, runs[name], "test"))
    assert sum(prediction.unknown for prediction in usual) <= 0.5 * len(usual)


def test_the_ood_score_alone_rejects_confident_predictions(
    runs: Runs, colours: Path, outliers: list[Path], tmp_path: Path
) -> None:
    result = calibrate(runs["network"].bundle, Dataset.open(colours), out=tmp_path / "new", coverage=1)
    response = answers(Bundle.open(tmp_path / "new"), outliers)
    assert (
        sum(prediction.unknown and prediction.probability >= result.reject.probability for prediction in response)
        >= len(response) - 1
    )


def test_a_forest_rejects_by_confidence_only(calibrated: Mapping[str, Bundle], outliers: list[Path]) -> None:
    reject = calibrated["forest"].reject
    assert reject is not None
    assert reject.strangeness is None
    for prediction in answers(calibrated["forest"], outliers):
        assert prediction.unknown == (prediction.probability < reject.probability)


@pytest.mark.parametrize("name", RECIPES)
def test_files_bytes_and_http_agree(
    name: str, runs: Runs, calibrated: Mapping[str, Bundle], colours: Path, outliers: list[Path]
) -> None:
    bundle, files = calibrated[name], [*files_of(colours, runs[name], "test"), *outliers]
    by_files = answers(bundle, files)
    assert {prediction.unknown for prediction in by_files} == {True, False}
    predictor = Predictor(bundle)
    by_bytes = [predictor.predict_one(file.read_bytes(), path=str(file)) for file in files]

    async def request_all() -> list[httpx.Response]:
        app = build_app(predictor)
        transport = httpx.ASGITransport(app)
        alive = app.router.lifespan_context(app)
        async with alive, httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.post("/predict", files={"image": (one.name, one.read_bytes())}) for one in files]

    by_http = [response.json() for response in asyncio.run(request_all())]
    for by_file, by_content, response in zip(by_files, by_bytes, by_http, strict=True):
        assert by_file.unknown == by_content.unknown == response["unknown"]
        assert by_file.label == by_content.label == response["label"]
        assert by_file.probability == pytest.approx(by_content.probability, abs=1e-5)
        assert by_content.probability == pytest.approx(response["probability"], abs=1e-5)
        assert {choice["label"] for choice in response["top"]} == {"blue", "green", "red"}


@pytest.mark.parametrize("name", RECIPES)
def test_evaluation_ignores_the_reject_option(
    name: str, runs: Runs, calibrated: Mapping[str, Bundle], colours: Path
) -> None:
    old, new = (evaluate(bundle, Dataset.open(colours)) for bundle in (runs[name].bundle, calibrated[name]))
    assert old.n == new.n
    assert old.accuracy == new.accuracy


@pytest.mark.parametrize("name", RECIPES)
def test_metrics_are_kept_if_probabilities_are_unchanged(
    name: str, runs: Runs, calibrated: Mapping[str, Bundle]
) -> None:
    old, new = runs[name].bundle.manifest, calibrated[name].manifest
    assert new.metrics == old.metrics  # trained and calibrated on the same validation images
    assert new.calibration == old.calibration
    assert replace(new, reject=None) == old


def without_temperature(run: Run, folder: Path) -> Bundle:
    """The run's bundle as it would be without a temperature of its own: far too overconfident."""
    from tellapart.bundles.bundle import write_manifest
    from tellapart.bundles.manifest import GRAPH
    from tellapart.engine import read_graph, write_graph
    from tellapart.models.graphs.surgery import add_temperature

    shutil.copytree(run.bundle.folder, folder)
    write_graph(add_temperature(read_graph(run.bundle.folder / GRAPH), 0.5), folder / GRAPH)
    write_manifest(folder, replace(run.bundle.manifest, calibration=None))
    return Bundle.open(folder)


def test_an_overconfident_bundle_gets_a_temperature_and_new_metrics(runs: Runs, colours: Path, tmp_path: Path) -> None:
    overconfident = without_temperature(runs["network"], tmp_path / "overconfident")
    result = calibrate(overconfident, Dataset.open(colours), out=tmp_path / "new", coverage=1)
    new = Bundle.open(tmp_path / "new")
    assert result.temperature == pytest.approx(2, rel=0.1)
    assert list(overconfident.metrics) == ["validation", "test"]
    assert list(new.metrics) == ["validation"]
    facts = new.manifest.calibration
    assert facts is not None
    assert facts["temperature"] == result.temperature
    assert facts["ece_after"] == pytest.approx(new.metrics["validation"]["ece"]["value"], abs=1e-9)
    validation = evaluate(new, Dataset.open(colours), split="validation")
    assert validation.as_json()["ece"] == pytest.approx(new.metrics["validation"]["ece"], abs=1e-6)
    again = calibrate(new, Dataset.open(colours), out=tmp_path / "again", coverage=1)
    assert again.temperature == 1


def test_a_calibrated_bundle_can_be_calibrated_again(
    calibrated: Mapping[str, Bundle], colours: Path, tmp_path: Path
) -> None:
    for name in ("network", "logistic"):
        result = calibrate(calibrated[name], Dataset.open(colours), out=tmp_path / name, coverage=1)
        assert result.temperature == 1
        new = Bundle.open(tmp_path / name)
        new.verify()
        assert new.reject == result.reject
        assert new.reject != calibrated[name].reject


def test_the_accuracy_goal_is_reached_among_accepted_images(runs: Runs, colours: Path, tmp_path: Path) -> None:
    result = calibrate(runs["network"].bundle, Dataset.open(colours), out=tmp_path / "new", accuracy=0.9)
    assert result.accuracy.value >= 0.9
    assert 0 < result.coverage.value <= 1
    assert result.coverage.low <= result.coverage.value <= result.coverage.high
    assert result.wanted == "accuracy=0.9"


def mislabelled(colours: Path, folder: Path) -> Path:
    """Mislabel all validation images, so that no threshold reaches a high accuracy."""
    shutil.copytree(colours, folder / "train")
    for true, label in (("red", "green"), ("green", "blue"), ("blue", "red")):
        shutil.copytree(colours / true, folder / "validation" / label)
    return folder


def test_an_accuracy_out_of_reach_is_refused_and_leaves_nothing(runs: Runs, colours: Path, tmp_path: Path) -> None:
    folder = mislabelled(colours, tmp_path / "data")
    with pytest.raises(DatasetError, match=r"no threshold makes 0\.99 of the accepted images correct"):
        calibrate(runs["network"].bundle, Dataset.open(folder), out=tmp_path / "out" / "new", accuracy=0.99)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "goal", [{}, {"accuracy": 0.9, "coverage": 0.9}, {"accuracy": 97.0}, {"coverage": 0.0}, {"coverage": float("nan")}]
)
def test_an_invalid_goal_is_refused(runs: Runs, colours: Path, tmp_path: Path, goal: dict[str, float]) -> None:
    with pytest.raises(RecipeError):
        calibrate(runs["network"].bundle, Dataset.open(colours), out=tmp_path / "new", **goal)
    assert not (tmp_path / "new").exists()


def test_a_folder_in_use_is_refused_before_the_work_and_left_alone(
    runs: Runs, colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellapart.bundles.calibrate._predict", None)
    (tmp_path / "mine.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "mine.txt", runs["network"].bundle.folder):
        with pytest.raises(StorageError, match="is there already and not empty: name another folder"):
            calibrate(runs["network"].bundle, Dataset.open(colours), out=out, coverage=0.9)
    assert bytes_of(tmp_path) == {"mine.txt": b"mine"}
    runs["network"].bundle.verify()


def test_a_folder_inside_the_original_bundle_is_refused(runs: Runs, colours: Path) -> None:
    bundle = runs["network"].bundle
    before = sorted(path.name for path in bundle.folder.iterdir())
    with pytest.raises(BundleError, match="is inside the bundle that is calibrated"):
        calibrate(bundle, Dataset.open(colours), out=bundle.folder / "calibrated", coverage=0.9)
    assert sorted(path.name for path in bundle.folder.iterdir()) == before


def test_images_of_other_classes_are_refused(runs: Runs, coloured: Callable[..., Path], tmp_path: Path) -> None:
    folder = coloured(tmp_path / "data")
    (folder / "blue").rename(folder / "azure")
    with pytest.raises(DatasetError, match="classes that the bundle lacks: azure"):
        calibrate(runs["network"].bundle, Dataset.open(folder), out=tmp_path / "new", coverage=0.9)


def test_images_without_a_validation_split_are_refused(
    runs: Runs, coloured: Callable[..., Path], tmp_path: Path
) -> None:
    new = coloured(tmp_path / "data", seed=9)
    with pytest.raises(DatasetError, match=r"no images for validation: none of its 36 .* add a folder validation/"):
        calibrate(runs["network"].bundle, Dataset.open(new), out=tmp_path / "new", coverage=0.9)
    coloured(tmp_path / "half" / "validation", seed=9)
    coloured(tmp_path / "half" / "test", seed=10)
    with pytest.raises(DatasetError, match="has no train split"):
        calibrate(runs["network"].bundle, Dataset.open(tmp_path / "half"), out=tmp_path / "new", coverage=0.9)


def test_test_images_are_never_predicted(
    runs: Runs, colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = Path(shutil.copytree(colours, tmp_path / "colours"))
    for file in files_of(moved, runs["network"], "test"):
        file.unlink()
    kept, whole = tmp_path / "kept", tmp_path / "whole"
    calibrate(runs["network"].bundle, Dataset.open(moved), out=kept, coverage=0.8)
    calibrate(runs["network"].bundle, Dataset.open(colours), out=whole, coverage=0.8)
    assert bytes_of(kept)["model.bin"] == bytes_of(whole)["model.bin"]
    assert Bundle.open(kept).manifest.reject == Bundle.open(whole).manifest.reject


def test_an_interrupted_write_leaves_nothing(
    runs: Runs, colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tellapart.bundles.calibrate.write_manifest", killed)
    with pytest.raises(KeyboardInterrupt):
        calibrate(runs["network"].bundle, Dataset.open(colours), out=tmp_path / "out", coverage=0.9)
    assert not list(tmp_path.iterdir())


def test_a_damaged_bundle_is_refused(runs: Runs, colours: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(runs["network"].bundle.folder, tmp_path / "bundle"))
    (damaged / "model.bin").write_bytes(b"")
    with pytest.raises(BundleError):
        calibrate(damaged, Dataset.open(colours), out=tmp_path / "new", coverage=0.9)


@pytest.mark.parametrize("stated", [{}, {"probability": "high", "strangeness": None}, {"probability": 0.5}])
def test_an_invalid_reject_option_is_refused(
    calibrated: Mapping[str, Bundle], outliers: list[Path], tmp_path: Path, stated: object
) -> None:
    from tellapart.bundles.bundle import write_manifest

    folder = Path(shutil.copytree(calibrated["network"].folder, tmp_path / "bundle"))
    write_manifest(folder, replace(calibrated["network"].manifest, reject=stated))  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=r"invalid reject option .*: calibrate again"):
        answers(Bundle.open(folder), outliers)


def test_bundles_without_a_reject_option_always_answer(runs: Runs, outliers: list[Path]) -> None:
    manifest = json.loads((runs["network"].bundle.folder / "bundle.json").read_text())
    assert manifest["reject"] is None
    assert not any(prediction.unknown for prediction in answers(runs["network"].bundle, outliers))


@pytest.mark.parametrize(
    ("probability", "strangeness", "rejected"),
    [(0.6, 1.0, False), (0.6, 2.0, False), (0.6, 2.1, True), (0.59, 1.0, True), (0.6, None, False), (0.5, None, True)],
)
def test_low_confidence_or_a_high_ood_score_is_rejected(
    probability: float, strangeness: float | None, rejected: bool
) -> None:
    assert Reject(0.6, 2.0).rejects(probability, strangeness) is rejected
    assert Reject(0.6, None).rejects(probability, strangeness) is (probability < 0.6)


def test_validation_images_are_drawn_for_a_bundle_without_recorded_splits(
    runs: Runs, colours: Path, tmp_path: Path
) -> None:
    from tellapart.bundles.bundle import write_manifest
    from tellapart.bundles.manifest import SEEN

    folder = Path(shutil.copytree(runs["network"].bundle.folder, tmp_path / "adopted"))
    (folder / SEEN).write_text("{}")
    write_manifest(folder, runs["network"].bundle.manifest)
    result = calibrate(folder, Dataset.open(colours), out=tmp_path / "new", coverage=0.9)
    assert result.coverage.value >= 0.85
    assert Bundle.open(tmp_path / "new").seen == {}
