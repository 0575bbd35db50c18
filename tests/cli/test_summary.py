"""`tellapart summary` of a model and of a run."""

import json
from pathlib import Path

import pytest

from tellapart.cli import summary as module
from tellapart.training.run import Run

from .conftest import Said


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count only: measuring a network's speed takes seconds."""
    monkeypatch.setattr("tellapart.models.summary.prediction_rate", lambda _: (1000.0, "float32"))
    monkeypatch.setattr("tellapart.training.fitting.loop.training_seconds", lambda *_: 0.001)


def test_a_hidden_layer_of_ones_own_is_counted_with_its_optimizer(said: Said) -> None:
    answer = said("summary", "mlp", "--units", 448)
    assert "mlp at 28 px: 356,170 parameters" in answer.out
    assert "while training adam keeps 712,342 numbers beside them: 1,068,512 in all" in answer.out
    counted = json.loads(said("summary", "mlp", "--units", 448, "--optimizer", "sgd", "--json").out)
    assert (counted["parameters"], counted["optimizer"], counted["optimizer_numbers"]) == (356_170, "sgd", 2)


def test_a_run_and_its_bundle_are_counted(said: Said, trained: Run) -> None:
    parameters = 1_200 * 128 + 128 + 128 * 3 + 3
    for folder in (trained.folder, trained.bundle.folder):
        counted = json.loads(said("summary", folder, "--json").out)
        assert (counted["parameters"], counted["size"], counted["classes"]) == (parameters, 20, 3)
        assert counted["optimizer_numbers"] == 2 * parameters + 2
    assert f"{parameters:,} parameters" in said("summary", trained.folder).out


def test_what_is_no_run_is_named(said: Said, tmp_path: Path) -> None:
    assert f"{tmp_path} is not a finished run" in said("summary", tmp_path).error
    assert "did you mean mobilenet" in said("summary", "mobilnet").error
    assert not module.is_folder("mlp")


def test_what_has_no_layers_is_refused(said: Said) -> None:
    assert "knn has no layers to show" in said("summary", "knn").error
