"""The temperature is found on validation, is in the graph, and every number of the classifier is measured with it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart import Dataset, Prediction, Predictor, Recipe, train
from tellapart.bundles.stored_predictions import read_predictions
from tellapart.data.dataset import Skipped, Split
from tellapart.data.images import ArrayImages, Images
from tellapart.data.pipeline import ReadableRows
from tellapart.data.sources.arrays import array_split
from tellapart.errors import DatasetError
from tellapart.files import atomic_write
from tellapart.judging.calibration import apply_temperature
from tellapart.judging.evaluation import judge
from tellapart.judging.metrics import accuracy, ece, log_loss
from tellapart.training.final_evaluation import evaluate_finally
from tellapart.training.run import Run

CLASSES = ("dark", "middle", "bright")
COUNTS = {"train": 150, "validation": 400, "test": 1200}


def confused(count: int, seed: int) -> Split:
    """Grainy shades, one in four of them labelled wrong: nobody can be right about more than 3 in 4."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = np.clip(rng.normal(128 + 30 * (labels[:, None, None, None] - 1), 40, (count, 8, 8, 1)), 0, 255)
    said = np.where(rng.random(count) < 0.25, (labels + rng.integers(1, 3, count)) % 3, labels)
    return array_split(images.astype(np.uint8), said)


@pytest.fixture(scope="module")
def overconfident(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network that has memorized its few training images, and is far too confident."""
    splits = {name: confused(count, seed) for seed, (name, count) in enumerate(COUNTS.items())}
    recipe = Recipe(
        model="mlp",
        dropout=0.0,
        epochs=60,
        batch_size=16,
        keep="last",
        patience=99,
        learning_rate=1e-2,
        precision="float32",
    )
    return train(Dataset("confused", CLASSES, splits), recipe, out=tmp_path_factory.mktemp("runs") / "overconfident")


@pytest.fixture(scope="module")
def held_out() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    split = confused(COUNTS["test"], 2)
    assert isinstance(split.images, ArrayImages)
    return split.images.array, split.labels


@pytest.fixture(scope="module")
def raw(overconfident: Run, held_out: tuple[NDArray[np.uint8], NDArray[np.int32]]) -> NDArray[np.float32]:
    """What the network itself says, which has no temperature."""
    model = keras.models.load_model(overconfident.bundle.folder / "model.keras", safe_mode=True)
    found: NDArray[np.float32] = model.predict(held_out[0], batch_size=100, verbose=0)
    return found


def test_the_temperature_halves_the_calibration_error_on_images_held_out_and_changes_no_answer(
    overconfident: Run, held_out: tuple[NDArray[np.uint8], NDArray[np.int32]], raw: NDArray[np.float32]
) -> None:
    labels, told = held_out[1], overconfident.metrics["test"]
    assert accuracy(labels, raw) > 0.4  # it has learned something
    assert ece(labels, raw) > 0.2  # and is far too confident
    assert told["ece"]["value"] <= ece(labels, raw) / 2
    assert told["accuracy"]["value"] == accuracy(labels, raw)
    facts = overconfident.bundle.manifest.calibration
    assert facts is not None
    assert facts["temperature"] > 1.5
    assert facts["ece_after"] <= facts["ece_before"] / 2
    assert facts["ece_after"] == pytest.approx(overconfident.metrics["validation"]["ece"]["value"], abs=1e-9)


def test_the_temperature_is_in_the_graph(
    overconfident: Run, held_out: tuple[NDArray[np.uint8], NDArray[np.int32]], raw: NDArray[np.float32]
) -> None:
    from tellapart.bundles.compile import compile_bundle

    facts = overconfident.bundle.manifest.calibration
    assert facts is not None
    (found,) = compile_bundle(overconfident.bundle, batch=len(raw)).run([held_out[0]])
    np.testing.assert_allclose(found, apply_temperature(raw, facts["temperature"]), atol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=1), raw.argmax(axis=1))


def test_the_answers_that_are_kept_are_those_of_the_bundle_and_the_metrics_are_theirs(overconfident: Run) -> None:
    for split, seed in (("validation", 1), ("test", 2)):
        kept = read_predictions(overconfident.folder, split)
        assert kept is not None
        images = confused(COUNTS[split], seed).images
        assert (kept.digests, len(kept.names)) == (images.digests, COUNTS[split])
        assert overconfident.metrics[split] == overconfident.bundle.metrics[split]
        assert judge(kept.labels, kept.probs, CLASSES).as_json().items() <= overconfident.metrics[split].items()


def test_the_log_loss_before_the_temperature_is_kept_beside_the_one_after_it(overconfident: Run) -> None:
    stored = read_predictions(overconfident.folder, "test")
    calibration = overconfident.bundle.manifest.calibration
    assert stored is not None
    assert calibration is not None
    raw = apply_temperature(stored.probs, 1 / calibration["temperature"])
    before = overconfident.metrics["test"]["uncalibrated_log_loss"]
    assert before["value"] == pytest.approx(log_loss(stored.labels, raw), rel=0.01)
    assert before["low"] < before["value"] < before["high"]
    assert before["value"] > overconfident.metrics["test"]["log_loss"]["value"]


def test_predicting_says_what_was_kept(overconfident: Run, tmp_path: Path) -> None:
    from PIL import Image

    kept = read_predictions(overconfident.folder, "test")
    assert kept is not None
    split = confused(COUNTS["test"], 2)
    for number in range(20):
        Image.fromarray(split.images.read(number)[:, :, 0]).save(tmp_path / f"{number:02}.png")
    for row, answer in enumerate(Predictor(overconfident.bundle).predict(sorted(tmp_path.iterdir()))):
        assert isinstance(answer, Prediction)
        assert answer.label == CLASSES[kept.predicted[row]]
        assert answer.probability == pytest.approx(kept.probs[row].max(), abs=1e-5)
        assert not answer.unknown


def dataset(*splits: str) -> Dataset:
    return Dataset("some", CLASSES, {name: confused(60, 10 + place) for place, name in enumerate(splits)})


def saying(*, unreadable: int = 0) -> Callable[[Images, str], ReadableRows]:
    """A classifier that is too confident: right or wrong by chance, and without an answer for the first images."""

    def ask(images: Images, label: str) -> ReadableRows:
        kept = tuple(range(unreadable, len(images)))
        rng = np.random.default_rng(len(label))
        likeliest = rng.integers(0, 3, len(kept))
        values = np.where(np.arange(3) == likeliest[:, None], 0.98, 0.01).astype(np.float32)
        skipped = tuple(Skipped(images.name(index), "broken") for index in range(unreadable))
        return ReadableRows(values, kept, skipped)

    return ask


def test_test_is_judged_at_the_temperature_of_validation() -> None:
    found = evaluate_finally(dataset("train", "validation", "test"), {}, saying())
    assert found.temperature > 2
    assert list(found.metrics) == list(found.predictions) == ["validation", "test"]
    for name, answers in found.predictions.items():
        assert answers.probs.max() < 0.9
        assert judge(answers.labels, answers.probs, CLASSES).as_json().items() <= found.metrics[name].items()


def test_test_alone_settles_no_temperature() -> None:
    found = evaluate_finally(dataset("train", "test"), {}, saying())
    assert (found.calibration, found.temperature) == (None, 1)
    assert found.predictions["test"].probs.max() == np.float32(0.98)


@pytest.mark.parametrize("asked", [("validation",), ("test",), ()])
def test_only_the_splits_that_are_asked_for_are_opened(asked: tuple[str, ...]) -> None:
    opened: list[str] = []

    def ask(images: Images, label: str) -> ReadableRows:
        opened.append(label)
        return saying()(images, label)

    assert list(evaluate_finally(dataset("train", "validation", "test"), {}, ask, asked).metrics) == [*asked]
    assert opened == [f"judging on {name}" for name in asked]


def test_an_estimator_that_votes_has_no_temperature() -> None:
    found = evaluate_finally(dataset("train", "validation", "test"), {}, saying(), calibrates=False)
    assert found.calibration is None
    assert found.predictions["validation"].probs.max() == np.float32(0.98)


def test_what_cannot_be_read_is_listed_and_not_judged() -> None:
    found = evaluate_finally(dataset("train", "validation", "test"), {}, saying(unreadable=7))
    assert len(found.unread) == 14
    whole = dataset("train", "validation", "test").splits["test"]
    assert found.metrics["test"]["n"] == 53
    assert found.predictions["test"].digests == whole.images.digests[7:]
    np.testing.assert_array_equal(found.predictions["test"].labels, whole.labels[7:])


def test_validation_of_which_nothing_can_be_read_is_refused() -> None:
    with pytest.raises(DatasetError, match="none of the 60 images of validation can be read"):
        evaluate_finally(dataset("train", "validation"), {}, saying(unreadable=60))


def test_no_training_is_lost_to_a_test_split_that_cannot_be_judged(capsys: pytest.CaptureFixture[str]) -> None:
    whole = dataset("train", "validation", "test")
    found = evaluate_finally(whole, {}, saying(unreadable=60), splits=["test"])
    assert (found.metrics, found.predictions, len(found.unread)) == ({}, {}, 60)
    assert "not judged on test: none of its 60 images can be read" in capsys.readouterr().err
    seen = {digest[:16]: "train" for digest in whole.splits["test"].images.digests}
    found = evaluate_finally(whole, seen, saying(unreadable=0))
    assert found.metrics.keys() == found.predictions.keys() == {"validation"}
    assert "not judged on test: some has no images for test: all 60 were used in training" in capsys.readouterr().err


def test_test_images_that_training_saw_are_neither_judged_nor_kept() -> None:
    some = dataset("train", "test")
    leaked = some.splits["test"].images.digests[:5]
    found = evaluate_finally(some, {digest[:16]: "train" for digest in leaked}, saying())
    assert found.predictions["test"].digests == some.splits["test"].images.digests[5:]


def test_what_was_said_is_kept_in_the_run(tmp_path: Path) -> None:
    found = evaluate_finally(dataset("train", "validation"), {}, saying())
    atomic_write(tmp_path / "answers" / "test.npz", b"of a run before")
    replace(found).write_predictions(tmp_path)
    kept = read_predictions(tmp_path, "validation")
    assert kept is not None
    np.testing.assert_array_equal(kept.probs, found.predictions["validation"].probs)


def test_groups_are_judged_and_stored_with_their_near_duplicates(tmp_path: Path) -> None:
    split = confused(60, 3)
    digests = split.images.digests
    senders = tuple(f"sender {i // 5}" for i in range(60))
    families = {digests[0]: digests[0], digests[5]: digests[0]}  # joins the first two senders
    probs = np.random.default_rng(0).dirichlet(np.ones(3), 60).astype(np.float32)
    dataset = Dataset("senders", CLASSES, {"validation": replace(split, groups=senders)}, families=families)
    found = evaluate_finally(dataset, {}, lambda *_: ReadableRows(probs, tuple(range(60)), ()), calibrates=False)
    assert found.metrics["validation"]["groups"] == 11
    found.write_predictions(tmp_path)
    stored = read_predictions(tmp_path, "validation")
    assert stored is not None
    assert stored.groups is not None
    assert stored.groups[:10] == ("sender 0",) * 10
    assert stored.groups[10:] == senders[10:]
    again = judge(stored.labels, stored.probs, CLASSES, groups=stored.groups)
    assert again.as_json() == found.metrics["validation"]
