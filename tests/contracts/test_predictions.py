"""Python, the command line, HTTP and Keras give one answer about one image."""

import base64
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart import Dataset, Prediction, Predictor, Recipe, evaluate, train
from tellapart.bundles.bundle import Bundle
from tellapart.cli.run_command import run
from tellapart.data.decoding.decode import decode
from tellapart.engine import resolve_precision
from tellapart.explaining.methods import explain
from tellapart.exporting.export import export
from tellapart.judging.calibration import apply_temperature
from tellapart.serving.server import local_server
from tellapart.training.run import Run

Probabilities = NDArray[np.float64]


@contextmanager
def served(bundle: Bundle) -> Iterator[str]:
    """Run the service on a free port; give its address."""
    httpd = local_server(Predictor(bundle))
    httpd.config.port = 0
    thread = threading.Thread(target=httpd.run)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not httpd.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield f"http://127.0.0.1:{httpd.servers[0].sockets[0].getsockname()[1]}"
    finally:
        httpd.should_exit = True
        thread.join(timeout=10)


def ordered(bundle: Bundle, top: list[dict[str, object]]) -> list[float]:
    """The probabilities in the order of the bundle's classes."""
    by_label = {str(choice["label"]): float(str(choice["probability"])) for choice in top}
    return [by_label[name] for name in bundle.classes]


def by_python(bundle: Bundle, files: list[Path]) -> Probabilities:
    answers = Predictor(bundle).predict(files, top=len(bundle.classes))
    return np.array([ordered(bundle, answer.as_json()["top"]) for answer in answers])


def by_command(bundle: Bundle, files: list[Path], capsys: pytest.CaptureFixture[str]) -> Probabilities:
    capsys.readouterr()
    assert run(["predict", str(bundle.folder), *map(str, files), "--top", str(len(bundle.classes)), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["path"] for line in lines] == [str(file) for file in files]
    return np.array([ordered(bundle, line["top"]) for line in lines])


def by_http(bundle: Bundle, files: list[Path]) -> Probabilities:
    rows = []
    with served(bundle) as address, httpx.Client(base_url=address, timeout=60) as client:
        for file in files:
            parameters = {"top": len(bundle.classes)}
            answer = client.post("/predict", params=parameters, files={"image": (file.name, file.read_bytes())})
            assert answer.status_code == 200
            rows.append(ordered(bundle, answer.json()["top"]))
    return np.array(rows)


def by_json(bundle: Bundle, files: list[Path]) -> Probabilities:
    """The same over HTTP, with the images as base64 in JSON."""
    with served(bundle) as address:
        texts = [base64.b64encode(file.read_bytes()).decode() for file in files[:20]]
        parameters = {"top": len(bundle.classes)}
        answers = httpx.post(f"{address}/v1/predict", params=parameters, json={"image": texts}, timeout=60).json()
    return np.array([ordered(bundle, answer["top"]) for answer in answers["answers"]])


def by_arrays(bundle: Bundle, files: list[Path]) -> Probabilities:
    """Python with the pixels in hand."""
    arrays = [np.asarray(Image.open(file)) for file in files]
    answers = Predictor(bundle).predict(arrays, top=len(bundle.classes))
    return np.array([ordered(bundle, answer.as_json()["top"]) for answer in answers])


def by_keras(bundle: Bundle, files: list[Path]) -> Probabilities:
    import keras

    model = keras.models.load_model(bundle.folder / "model.keras", safe_mode=True)
    images = np.stack([bundle.preprocessing(decode(file.read_bytes())) for file in files])
    found: Probabilities = model.predict(images, batch_size=20, verbose=0).astype(np.float64)
    calibration = bundle.manifest.calibration
    return (
        apply_temperature(found, calibration["temperature"]) if calibration else found
    )  # Keras's copy has no temperature


def softmax(logits: Probabilities) -> Probabilities:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Probabilities = weights / weights.sum(axis=1, keepdims=True)
    return shares


def logits_of(bundle: Bundle, answer: dict[str, list[dict[str, float]]]) -> list[float]:
    """The logits in the order of the bundle's classes."""
    by_label = {str(choice["label"]): choice["logit"] for choice in answer["top"]}
    return [by_label[name] for name in bundle.classes]


def test_logits_are_the_same_everywhere_and_their_softmax_is_the_probabilities(
    trained: Run, coloured: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    bundle, count = trained.bundle, str(len(trained.bundle.classes))
    files = sorted(coloured(tmp_path / "new", each=2, seed=78).rglob("*.png"))
    answers = [Predictor(bundle).predict_one(file, top=3) for file in files]
    by_python = np.array([[answer.logits[name] for name in bundle.classes] for answer in answers])

    capsys.readouterr()
    assert run(["predict", str(bundle.folder), *map(str, files), "--top", count, "--json", "--logits"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    with served(bundle) as address, httpx.Client(base_url=address, params={"top": count, "logits": True}) as client:
        uploads = [("image", (file.name, file.read_bytes())) for file in files]
        over_http = client.post("/v1/predict", files=uploads).json()["answers"]
        one = client.post("/predict", files=uploads[:1]).json()
    for way in (lines, over_http, [one]):
        found = np.array([logits_of(bundle, answer) for answer in way])
        np.testing.assert_allclose(found, by_python[: len(way)], atol=1e-4)

    np.testing.assert_allclose(by_python.sum(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(softmax(by_python), by_keras(bundle, files), atol=1e-5)
    network = keras.models.load_model(bundle.folder / "model.keras", safe_mode=True)
    network = keras.Model(network.inputs, network.get_layer("logits").output)  # before the softmax
    images = np.stack([bundle.preprocessing(decode(file.read_bytes())) for file in files])
    calibration = bundle.manifest.calibration
    inner = network.predict(images, verbose=0).astype(np.float64) / (calibration["temperature"] if calibration else 1)
    np.testing.assert_allclose(by_python, inner - inner.mean(axis=1, keepdims=True), atol=1e-3)


def require_agreement(bundle: Bundle, files: list[Path], capsys: pytest.CaptureFixture[str], *, within: float) -> None:
    expected = by_keras(bundle, files)
    ways = {
        "python": by_python(bundle, files),
        "command": by_command(bundle, files, capsys),
        "http": by_http(bundle, files),
    }
    np.testing.assert_allclose(by_json(bundle, files), ways["http"][:20], atol=1e-6)
    np.testing.assert_allclose(by_arrays(bundle, files), ways["python"], atol=1e-6)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-5)
    for way, found in ways.items():
        assert found.argmax(axis=1).tolist() == expected.argmax(axis=1).tolist(), way
        np.testing.assert_allclose(found, expected, atol=within, err_msg=way)


def test_the_tiny_classifier_gives_the_same_answers_everywhere(
    trained: Run, coloured: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(coloured(tmp_path / "new", each=5, seed=77).rglob("*.png"))
    require_agreement(trained.bundle, files, capsys, within=1e-5)


def test_a_classifier_of_images_that_are_not_square_gives_the_same_answers_everywhere(
    tiny: Path, coloured: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe(
        model="cnn", size="8X16", augment="rotate=20,shift=0.1,crop=0.8,cutmix=1", epochs=1, precision="float32"
    )
    bundle = train(Dataset.open(tiny), recipe, out=tmp_path / "run").bundle
    assert (bundle.preprocessing.height, bundle.preprocessing.width) == (8, 16)
    files = sorted(coloured(tmp_path / "new", each=2, seed=77).rglob("*.png"))
    require_agreement(bundle, files, capsys, within=1e-5)
    result = export(bundle, Dataset.open(tmp_path / "new"), to="onnx", out=tmp_path / "onnx")
    assert result.parity.largest_difference < 1e-4
    for method in ("gradcam", "occlusion"):
        assert explain(bundle, files[0].read_bytes(), method, check=False).heat.shape == (8, 16)


@pytest.fixture(scope="module")
def some_photos(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Up to 40 photos of each class to train on, 10 to choose, and 25 to test."""
    folder = tmp_path_factory.mktemp("photos") / "clothing"
    for split, each in (("train", 40), ("validation", 10), ("test", 25)):
        for source in sorted(path for path in (photos / split).iterdir() if path.is_dir()):
            (folder / split / source.name).mkdir(parents=True)
            for file in sorted(source.iterdir())[:each]:
                shutil.copy(file, folder / split / source.name)
    return folder


@pytest.fixture(scope="module")
def clothes(some_photos: Path, xception_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    recipe = Recipe(model="xception", weights=str(xception_weights), size=150, precision="float32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOTHES_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("TELLAPART_CACHE", os.environ["CLOTHES_CACHE"])
        yield train(Dataset.open(some_photos), recipe, out=tmp_path_factory.mktemp("runs") / "clothes")


@pytest.mark.real
def test_real_photos_are_answered_the_same_everywhere(
    clothes: Run, some_photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted((some_photos / "test").rglob("*.jpg"))
    files = files[:: max(1, len(files) // 100)][:100]
    assert len(files) == 100
    require_agreement(clothes.bundle, files, capsys, within=1e-3)


@pytest.mark.real
def test_real_photos_are_judged_the_same_in_both_precisions(clothes: Run, some_photos: Path) -> None:
    if resolve_precision("auto") != "bfloat16":
        pytest.skip("this CPU does not multiply bfloat16 in hardware, so it is never chosen")
    dataset = Dataset.open(some_photos)
    exact, quick = (evaluate(clothes.bundle, dataset, precision=precision) for precision in ("float32", "bfloat16"))
    for metric, estimate in exact.as_json().items():  # the temperature is applied outside the graph in training
        assert estimate == pytest.approx(clothes.metrics["test"][metric], rel=1e-4, abs=1e-6), metric
    assert exact.n > 200
    assert exact.accuracy.value > 0.7  # an eighth of the photos
    assert abs(exact.accuracy.value - quick.accuracy.value) <= 0.005


@pytest.mark.real
def test_a_second_head_on_the_same_photos_computes_no_features(
    clothes: Run, some_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.models.features import frozen_backbone

    monkeypatch.setenv("TELLAPART_CACHE", os.fspath(tmp_path))  # a cache of its own, filled by the first
    few = tmp_path / "few"
    for name in ("dress", "hat", "pants"):
        shutil.copytree(some_photos / "validation" / name, few / name)
    dataset = Dataset.open(few)
    small = Recipe.of({**clothes.recipe.as_dict(), "epochs": 1, "test": 0.0})
    train(dataset, small, out=tmp_path / "one")
    monkeypatch.setattr(frozen_backbone, "_fill", None)
    again = train(dataset, Recipe.of({**small.as_dict(), "inner": 16}), out=tmp_path / "two")
    assert isinstance(
        next(iter(Predictor(again.bundle).predict([next((some_photos / "test").rglob("*.jpg"))]))), Prediction
    )
