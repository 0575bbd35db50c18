"""A run's folder: what it holds, whose it is, and and how it resumes."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart import Dataset, Prediction, Predictor, Recipe, train
from tellapart.errors import DatasetError, RecipeError, RunError
from tellapart.models.resolved_recipe import MAX_DEFAULT_EPOCHS
from tellapart.reports.build_report import report
from tellapart.training import network_run
from tellapart.training.run import Run

RECIPE = Recipe(model="mlp", size=20, epochs=2, batch_size=8, precision="float32")


def test_a_run_leaves_what_the_contract_names(trained: Run) -> None:
    names = {path.name for path in trained.folder.iterdir()} - {"test-uses.json"}  # of tests that judged it since
    assert names == {
        "recipe.toml",
        "environment.json",
        "split.csv",
        "history.csv",
        "metrics.json",
        "checkpoints",
        "answers",
        "bundle",
    }
    with (trained.folder / "history.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == trained.recipe.epochs
    assert {path.name for path in trained.bundle.folder.iterdir()} == {
        "bundle.json", "model.xml", "model.bin", "model.keras", "splits.json",
    }  # fmt: skip


def test_the_recipe_on_disk_is_the_settled_one_and_makes_the_run_again(trained: Run) -> None:
    recipe = Recipe.read(trained.folder / "recipe.toml")
    assert {name for name, value in vars(recipe).items() if value is None} <= {
        "cut",
        "features",
        "range",
    }  # none of these
    assert (recipe.model, recipe.size, recipe.weights) == ("mlp", 20, "none")


def test_a_runs_own_split_is_a_source_to_train_from_again(trained: Run, tmp_path: Path) -> None:
    dataset = Dataset.open(trained.folder / "split.csv")
    assert dataset.fingerprint == trained.environment["dataset"]["fingerprint"]
    again = train(dataset, trained.recipe, out=tmp_path / "again")
    assert again.metrics == trained.metrics
    assert Dataset.open(again.folder / "split.csv").fingerprint == dataset.fingerprint


def test_metrics_have_the_shape_of_the_contract_with_intervals(trained: Run) -> None:
    metrics = json.loads((trained.folder / "metrics.json").read_text())
    assert metrics == trained.metrics == dict(trained.bundle.metrics)
    assert list(metrics) == ["validation", "test"]
    for split, facts in metrics.items():
        assert facts["n"] == trained.environment["dataset"]["pictures"][split] > 0
        assert {"accuracy", "macro_f1", "log_loss"} <= facts.keys()
        for name in facts.keys() - {"n"}:
            assert facts[name].keys() == {"value", "low", "high"}
            assert facts[name]["low"] <= facts[name]["value"] <= facts[name]["high"]


def test_one_seed_repeats_a_run_to_the_byte(trained: Run, tiny: Path, tmp_path: Path) -> None:
    again = train(Dataset.open(tiny), trained.recipe, out=tmp_path / "again")
    other = train(Dataset.open(tiny), replace(trained.recipe, seed=1), out=tmp_path / "other")
    weights = [(run.bundle.folder / "model.bin").read_bytes() for run in (trained, again, other)]
    assert weights[0] == weights[1] != weights[2]
    assert again.metrics == trained.metrics


def test_a_folder_in_use_is_refused_and_left_alone(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(RunError, match=r"is in use: it is not empty\. Name another folder with --out"):
            train(Dataset.open(tiny), RECIPE, out=tmp_path, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_finished_run_is_refused_with_a_hint_at_resuming(trained: Run, tiny: Path) -> None:
    with pytest.raises(RunError, match="or continue the run that is there with --resume"):
        train(Dataset.open(tiny), trained.recipe, out=trained.folder)


def test_a_file_in_the_place_of_the_folder_is_refused(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="is a file; expected a new folder"):
        train(Dataset.open(tiny), RECIPE, out=tmp_path / "file")


def test_resuming_a_finished_run_returns_it_without_work(
    trained: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_run, "train_network", None)
    before = {path: path.stat().st_mtime_ns for path in trained.folder.rglob("*")}
    again = train(Dataset.open(tiny), trained.recipe, out=trained.folder, resume=True)
    assert again.metrics == trained.metrics
    assert before == {path: path.stat().st_mtime_ns for path in trained.folder.rglob("*")}


def test_a_run_of_another_default_of_epochs_is_resumed_with_its_own(trained: Run, tiny: Path) -> None:
    recipe = Recipe.read(trained.folder / "recipe.toml")
    again = train(Dataset.open(tiny), replace(recipe, epochs=None), out=trained.folder, resume=True)
    assert again.recipe.epochs == recipe.epochs


def test_few_images_get_more_epochs_unless_they_are_given(tiny: Path, tmp_path: Path) -> None:
    recipe = Recipe(model="mlp", size=8, units=2, patience=1, learning_rate=1e-9, precision="float32")
    run = train(Dataset.open(tiny), recipe, out=tmp_path / "run")
    assert run.recipe.epochs == MAX_DEFAULT_EPOCHS > 40
    assert len((run.folder / "history.csv").read_text().splitlines()) < 40  # patience ends it


def test_effort_is_the_old_name_of_budget(tiny: Path, tmp_path: Path) -> None:
    with (
        pytest.warns(DeprecationWarning, match="effort is now called budget"),
        pytest.raises(RecipeError, match="leave out --time and --budget"),
    ):
        train(Dataset.open(tiny), Recipe(model="knn"), out=tmp_path / "run", effort="quick")


def test_resuming_with_another_recipe_is_refused_with_the_difference(trained: Run, tiny: Path) -> None:
    with pytest.raises(RunError, match=r"dropout was 0\.2, now 0\.5"):
        train(Dataset.open(tiny), replace(trained.recipe, dropout=0.5), out=trained.folder, resume=True)


def test_resuming_with_other_images_is_refused(trained: Run, tmp_path: Path, coloured: Callable[..., Path]) -> None:
    with pytest.raises(RunError, match=r"the images of tiny have changed"):
        train(Dataset.open(coloured(tmp_path / "tiny", seed=3)), trained.recipe, out=trained.folder, resume=True)


def test_resuming_where_nothing_was_begun_begins(tiny: Path, tmp_path: Path) -> None:
    assert train(Dataset.open(tiny), RECIPE, out=tmp_path / "new", resume=True).metrics


def test_a_run_killed_before_its_recipe_was_written_can_be_resumed(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Recipe.write

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Recipe, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        train(Dataset.open(tiny), RECIPE, out=tmp_path / "run")
    monkeypatch.setattr(Recipe, "write", write)
    (tmp_path / "run" / ".partial-x").write_text("half")
    run = train(Dataset.open(tiny), RECIPE, out=tmp_path / "run", resume=True)
    assert run.metrics
    assert not list(run.folder.glob(".partial-*"))


def test_a_run_refused_for_its_weights_can_be_begun_again_in_the_same_folder(tiny: Path, tmp_path: Path) -> None:
    wrong = Recipe(model="mobilenet", weights=str(tmp_path / "absent.weights.h5"), size=32)
    with pytest.raises(Exception, match="there is no weights file"):
        train(Dataset.open(tiny), wrong, out=tmp_path / "run")
    assert train(Dataset.open(tiny), RECIPE, out=tmp_path / "run").metrics


def test_unreadable_images_are_listed_and_never_fatal(tmp_path: Path, coloured: Callable[..., Path]) -> None:
    folder = coloured(tmp_path / "photos")
    for number in range(3):
        (folder / "blue" / f"{number:02}.png").write_bytes(b"corrupt " + bytes([number]))
    (folder / "red" / "00.png").write_bytes((folder / "red" / "00.png").read_bytes()[:100])
    run = train(Dataset.open(folder), RECIPE, out=tmp_path / "run")
    with (run.folder / "skipped.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row["path"] for row in rows) == sorted(
        [*(str(folder / "blue" / f"{number:02}.png") for number in range(3)), str(folder / "red" / "00.png")]
    )
    assert all(row["reason"] for row in rows)
    trained_on = json.loads((run.bundle.folder / "splits.json").read_text())
    assert sum(map(len, trained_on.values())) + run.metrics["test"]["n"] == 36 - 4


@pytest.mark.parametrize(
    ("validation", "test", "splits"), [(0.0, 0.2, ["test"]), (0.2, 0.0, ["validation"]), (0, 0, [])]
)
def test_a_share_of_nothing_makes_no_split(
    tiny: Path, tmp_path: Path, validation: float, test: float, splits: list[str]
) -> None:
    recipe = replace(RECIPE, validation=float(validation), test=float(test))
    run = train(Dataset.open(tiny), recipe, out=tmp_path / "run")
    assert list(run.metrics) == splits


def test_a_binary_loss_ends_in_two_probabilities_that_sum_to_1(tmp_path: Path, coloured: Callable[..., Path]) -> None:
    from tellapart import Prediction, Predictor

    folder = coloured(tmp_path / "two", colours=("red", "blue"))
    run = train(Dataset.open(folder), replace(RECIPE, loss="binary", epochs=6), out=tmp_path / "run")
    assert run.metrics["test"]["accuracy"]["value"] > 0.7
    (answer,) = Predictor(run.bundle).predict([folder / "red" / "00.png"])
    assert isinstance(answer, Prediction)
    assert {choice.label for choice in answer.top} == {"red", "blue"}
    assert sum(choice.probability for choice in answer.top) == pytest.approx(1, abs=1e-6)


def test_a_split_that_misses_a_class_is_refused(tmp_path: Path, coloured: Callable[..., Path]) -> None:
    coloured(tmp_path / "data" / "train")
    coloured(tmp_path / "data" / "validation", each=3, colours=("red", "green"), seed=1)
    with pytest.raises(DatasetError, match="the validation split of data has no image of blue"):
        train(Dataset.open(tmp_path / "data"), RECIPE, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_test_split_that_lacks_a_class_is_judged_on_what_it_has(
    tmp_path: Path, coloured: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    coloured(tmp_path / "data" / "train")
    coloured(tmp_path / "data" / "test", each=3, colours=("red", "green"), seed=1)
    dataset = Dataset.open(tmp_path / "data")
    run = train(dataset, RECIPE, out=tmp_path / "run")
    assert run.metrics["test"]["n"] == 6
    assert "warning: The test split has no image of blue." in capsys.readouterr().err
    assert report(run, dataset=dataset).exists()


def test_the_owners_splits_stay_and_the_test_images_are_not_trained_on(
    tmp_path: Path, coloured: Callable[..., Path]
) -> None:
    coloured(tmp_path / "data" / "train")
    coloured(tmp_path / "data" / "test", each=3, seed=1)
    dataset = Dataset.open(tmp_path / "data")
    run = train(dataset, RECIPE, out=tmp_path / "run")
    assert run.metrics["test"]["n"] == 9
    seen = {
        digest for hashes in json.loads((run.bundle.folder / "splits.json").read_text()).values() for digest in hashes
    }
    assert seen == {digest[:16] for digest in dataset.splits["train"].images.digests}


def test_a_image_in_train_and_test_is_warned_of_and_not_judged(
    tmp_path: Path, coloured: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    coloured(tmp_path / "data" / "train")
    coloured(tmp_path / "data" / "test", each=3, seed=1)
    leaked = tmp_path / "data" / "test" / "red" / "leaked.png"
    leaked.write_bytes((tmp_path / "data" / "train" / "red" / "00.png").read_bytes())
    run = train(Dataset.open(tmp_path / "data"), RECIPE, out=tmp_path / "run")
    assert re.search(r"1 image is in two splits: 1 of (train|validation) also in test", capsys.readouterr().err)
    assert run.metrics["test"]["n"] == 9


def test_grey_arrays_are_trained_at_their_own_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = (rng.integers(0, 100, (60, 8, 8)) + 120 * labels[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "bright.npz", x=images, y=labels, classes=["dark", "bright"])
    run = train(
        Dataset.open(tmp_path / "bright.npz"),
        Recipe(model="mlp", epochs=10, batch_size=8, learning_rate=0.01),
        out=tmp_path / "run",
    )
    assert (run.bundle.preprocessing.height, run.bundle.preprocessing.channels) == (8, 1)
    assert run.metrics["test"]["accuracy"]["value"] == 1


def test_a_run_is_opened_by_its_folder_in_text(trained: Run) -> None:
    opened = Run.open(str(trained.folder))
    assert opened == trained == Run(str(trained.folder))  # type: ignore[arg-type]  # as people write it
    assert opened.metrics == trained.metrics


def test_what_is_no_finished_run_is_named(trained: Run, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    trained.recipe.write(str(begun / "recipe.toml"))
    for folder, words in (
        (trained.folder / "bundle", "it is a bundle. Open it with Bundle.open"),
        (tmp_path / "gone", "there is no such folder"),
        (tmp_path, "Name the folder that was given as out"),
        (begun, "resume=True"),
    ):
        with pytest.raises(RunError, match=f"is not a finished run: .*{re.escape(words)}"):
            Run.open(folder)


def test_stored_predictions_are_those_of_the_bundle(trained: Run, tiny: Path) -> None:
    stored = trained.predictions("test")
    answers = Predictor(trained.bundle).predict(list(stored.names), top=1)
    labels = [answer.label for answer in answers if isinstance(answer, Prediction)]
    assert labels == [trained.bundle.classes[index] for index in stored.predicted]
    evaluation = trained.evaluation("test")
    assert evaluation.paths == stored.names
    assert evaluation.accuracy.value == pytest.approx(trained.metrics["test"]["accuracy"]["value"])
    assert {mistake.path for mistake in evaluation.mistakes} <= {*stored.names}


def test_a_split_that_was_not_evaluated_has_no_predictions(run: Run) -> None:
    (run.folder / "answers" / "test.npz").unlink()
    with pytest.raises(RunError, match="has no predictions for test: evaluate its bundle"):
        run.evaluation()
