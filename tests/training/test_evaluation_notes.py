"""Notes say what a run's numbers do not say themselves."""

import json

from tellapart.training.evaluation_notes import evaluation_notes
from tellapart.training.run import Run


def with_accuracies(run: Run, validation: float, test: float) -> Run:
    metrics = {
        name: {"n": 400, "accuracy": {"value": value, "low": value - 0.04, "high": value + 0.04}}
        for name, value in (("validation", validation), ("test", test))
    }
    metrics["test"]["warning"] = "the 400 images are of only 3 groups"
    (run.folder / "metrics.json").write_text(json.dumps(metrics))
    return Run(run.folder)


def test_small_test_classes_are_named_with_their_sizes(run: Run) -> None:
    notes = evaluation_notes(run)
    assert notes[0].startswith("test has fewer than 10 images of ")
    assert "red" in notes[0]


def test_validation_and_test_far_apart_are_explained(run: Run) -> None:
    _, apart, groups = evaluation_notes(with_accuracies(run, 0.9, 0.7))
    assert apart.startswith("accuracy is 90.0% on validation and 70.0% on test, further apart than chance explains: ")
    assert "other senders" in apart
    assert groups == "on test, the 400 images are of only 3 groups"
    assert "of a harder kind" in evaluation_notes(with_accuracies(run, 0.7, 0.9))[1]
    assert len(evaluation_notes(with_accuracies(run, 0.9, 0.86))) == 2


def test_a_calibration_that_got_worse_is_reported(run: Run) -> None:
    metrics = json.loads((run.folder / "metrics.json").read_text())
    for before, expected in ((0.25, True), (0.3001, False), (0.4, False)):
        loss = {"value": 0.3, "low": 0.2, "high": 0.4}
        test = metrics["test"] | {"log_loss": loss, "uncalibrated_log_loss": loss | {"value": before}}
        (run.folder / "metrics.json").write_text(json.dumps(metrics | {"test": test}))
        notes = [note for note in evaluation_notes(Run(run.folder)) if "temperature" in note and "log-loss" in note]
        assert bool(notes) == expected
        assert not notes or "the log-loss on test, from 0.250 to 0.300: with few validation images" in notes[0]
