"""`tellapart train`: what it reports, and its exit status."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from tellapart.training.fitting.checkpoints import History
from tellapart.training.run import Run
from tellapart.training.training_warnings import TrainingWarning

from .conftest import Said

WARNING = TrainingWarning("diverged", "the training diverged", "try a smaller learning rate")


@pytest.fixture
def diverged(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.cli.train.train_run", lambda *_, **__: trained)
    monkeypatch.setattr("tellapart.cli.train.training_warnings", lambda _: (WARNING,))


@pytest.mark.usefixtures("diverged")
def test_a_warning_is_reported_and_fails_only_a_strict_training(said: Said, tiny: Path, tmp_path: Path) -> None:
    outcome = said("train", tiny, "--no-report", "--out", tmp_path / "run")
    assert outcome.status == 0
    assert "warning: the training diverged: try a smaller learning rate" in outcome.err
    assert said("train", tiny, "--no-report", "--strict", "--out", tmp_path / "run").status == 1
    result = json.loads(said("train", tiny, "--no-report", "--json", "--out", tmp_path / "run").out)
    assert result["warnings"] == [WARNING.as_json()]


def test_a_training_that_learned_passes_a_strict_one(
    said: Said, trained: Run, monkeypatch: pytest.MonkeyPatch, tiny: Path
) -> None:
    monkeypatch.setattr("tellapart.cli.train.train_run", lambda *_, **__: trained)
    monkeypatch.setattr("tellapart.cli.train.training_warnings", lambda _: ())
    outcome = said("train", tiny, "--no-report", "--json", "--strict")
    assert (outcome.status, json.loads(outcome.out)["warnings"]) == (0, [])


def test_weights_that_are_not_finite_are_refused_with_what_to_do(
    said: Said, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(network: keras.Model, *_: object, **__: object) -> tuple[History, int]:
        network.set_weights([weights * np.nan for weights in network.get_weights()])
        return (), 1

    monkeypatch.setattr("tellapart.training.network_run.fit", diverge)
    outcome = said("train", tiny, "--model", "mlp", "--size", 20, "--no-report", "--out", tmp_path / "run")
    assert "the weights after epoch 1, the best one, are not finite numbers" in outcome.error
    assert "a smaller learning rate than 0.001" in outcome.error


def test_the_end_shows_what_it_must_beat_its_size_and_where_the_report_is(
    said: Said, trained: Run, monkeypatch: pytest.MonkeyPatch, tiny: Path, tmp_path: Path
) -> None:
    run = Run(Path(shutil.copytree(trained.folder, tmp_path / "my run")))
    monkeypatch.setattr("tellapart.cli.train.train_run", lambda *_, **__: run)
    outcome = said("train", tiny)
    assert "baseline on test" in outcome.out
    assert all(name in outcome.out for name in ("majority class", "forest", "this run is better by", "paired test"))
    assert f"bundle: {run.folder / 'bundle'} (154,115 parameters, " in outcome.out
    assert f"report: {run.folder / 'report.html'}" in outcome.out
    assert f"try: tellapart predict '{run.folder / 'bundle'}' IMAGE" in outcome.err
