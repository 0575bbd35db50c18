"""Warnings about a training that diverged, predicts one class for everything, or shows nothing that it learned."""

import csv
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.bundles.stored_predictions import StoredPredictions, write_predictions
from tellapart.recipe import Recipe
from tellapart.training.fitting.checkpoints import Epoch
from tellapart.training.run import Run
from tellapart.training.training_warnings import Training, judged_warnings, training_warnings, trial_warnings

LABELS = np.arange(60, dtype=np.int32) % 3
RANDOM = np.random.default_rng(0).permutation(LABELS)


def changed(like: Run, folder: Path, losses: Sequence[float | None] = (), predicted: NDArray[np.int32] = LABELS) -> Run:
    """Copy a run, with other validation losses and predictions of 60 images."""
    shutil.copytree(like.folder, folder)
    with (folder / "history.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"))
        for epoch, loss in enumerate(losses, start=1):
            table.writerow((epoch, 0.5, 0.5, "" if loss is None else loss, "" if loss is None else 0.5, 0.001, 0.1))
    probs = np.full((60, 3), 0.1, np.float32)
    probs[np.arange(60), predicted] = 0.8
    names = tuple(str(number) for number in range(60))
    write_predictions(folder, "validation", StoredPredictions(names, names, LABELS, probs))
    return Run(folder)


@pytest.mark.parametrize("losses", [(1.1, 0.4, 0.2), (0.02, 0.1, 1.5), (1.1, 5.0), (None, None), ()])
def test_a_training_that_learned_has_no_warning(trained: Run, tmp_path: Path, losses: tuple[float | None, ...]) -> None:
    assert training_warnings(changed(trained, tmp_path / "run", losses)) == ()


@pytest.mark.parametrize(
    ("losses", "kind", "sentence"),
    [
        ((1.86e23, 5e21, 5.5e20), "diverged", "the validation loss reached 1.9e+23 and was never below 5.5e+20, "),
        ((1.0, 0.7, 8.25), "diverged", "the validation loss rose from 1 in epoch 1 to 8.2 in epoch 3"),
        ((1.0, float("nan"), float("nan")), "not-finite", "the loss of epoch 2 is not a finite number"),
        ((float("nan"),), "not-finite", "the loss of epoch 1 is not a finite number"),
        ((float("inf"), 1.0), "not-finite", "the loss of epoch 1 is not a finite number"),
    ],
)
def test_a_training_that_diverged_is_named_with_a_smaller_rate(
    trained: Run, tmp_path: Path, losses: tuple[float, ...], kind: str, sentence: str
) -> None:
    (warning,) = training_warnings(changed(trained, tmp_path / "run", losses))
    assert warning.kind == kind
    assert sentence in warning.sentence
    assert "try a smaller learning rate than 0.001 (tellapart lr-find " in warning.advice
    assert warning.advice.endswith("--model mlp)")


def test_a_stage_that_diverged_is_found(trained: Run, tmp_path: Path) -> None:
    run = changed(trained, tmp_path / "run", (1.0, 0.5))
    stage = changed(trained, tmp_path / "other", (0.5, 400.0))
    (run.folder / "stage-2").mkdir()
    shutil.copy(stage.folder / "history.csv", run.folder / "stage-2")
    assert [warning.kind for warning in training_warnings(run)] == ["diverged"]


def test_one_class_for_everything_is_named(trained: Run, tmp_path: Path) -> None:
    (warning,) = training_warnings(changed(trained, tmp_path / "run", (1.1, 1.0), np.full(60, 1, np.int32)))
    assert warning.kind == "one-class"
    assert warning.sentence.startswith("it predicts green for all 60 validation images, as always answering green ")
    assert "tellapart check" in warning.advice


def test_predictions_no_better_than_chance_are_named(trained: Run, tmp_path: Path) -> None:
    (warning,) = training_warnings(changed(trained, tmp_path / "run", (1.1, 1.0), RANDOM))
    assert warning.kind == "chance"
    assert "nothing shows that it learned" in str(warning)


def test_one_class_for_images_of_one_class_is_no_reason_to_warn(trained: Run, tmp_path: Path) -> None:
    run = changed(trained, tmp_path / "run", (1.1, 0.2))
    stored = StoredPredictions(("1",), ("1",), np.zeros(1, np.int32), np.array([[0.8, 0.1, 0.1]], np.float32))
    write_predictions(run.folder, "validation", replace(stored, names=("a",)))
    assert training_warnings(run) == ()


def epoch(val_loss: float, val_accuracy: float) -> Epoch:
    return Epoch(1, 0.5, 0.5, val_loss, val_accuracy, 0.001, 0.1)


TRAINING = Training(Recipe(model="mlp", learning_rate=5.0), "photos")
CLASSES = ("blue", "green", "red")


@pytest.mark.parametrize(
    ("val_loss", "val_accuracy", "kinds"),
    [
        (0.3, 0.9, []),
        (1.2, 1 / 3, ["chance"]),
        (1.2, 0.2, ["chance"]),
        (0.9, 1 / 3, []),  # rare classes may be learned where the accuracy is no better
        (9.0, 1 / 3, ["diverged", "chance"]),
        (float("nan"), 1 / 3, ["not-finite", "chance"]),
    ],
)
def test_a_trial_of_which_only_epochs_are_known_is_judged_by_them(
    val_loss: float, val_accuracy: float, kinds: list[str]
) -> None:
    row = epoch(val_loss, val_accuracy)
    warnings = trial_warnings((row,), row, LABELS, CLASSES, TRAINING)
    assert [warning.kind for warning in warnings] == kinds
    for warning in warnings:
        assert "tellapart lr-find photos --model mlp" in warning.advice
        if warning.kind == "chance":
            assert "on the 60 validation images is" in warning.sentence
            assert "always answering blue reaches 33.3%: nothing shows that it learned" in warning.sentence


def test_a_fold_is_judged_by_its_stages_and_its_held_out_images() -> None:
    histories = [(epoch(0.5, 0.9),), (epoch(9.0, 0.3),)]
    warnings = judged_warnings(histories, LABELS, np.full(60, 2), CLASSES, "held-out", TRAINING)
    assert [warning.kind for warning in warnings] == ["diverged", "one-class"]
    assert "it predicts red for all 60 held-out images" in warnings[1].sentence
    assert "a smaller learning rate than 5 " in warnings[1].advice
    assert judged_warnings([], LABELS, LABELS, CLASSES, "held-out", TRAINING) == ()
