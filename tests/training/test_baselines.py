"""What a run must beat: judged on the same images, fitted on its training images alone, kept for the next time."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from tellapart import Dataset, Recipe, train
from tellapart.bundles.stored_predictions import read_predictions
from tellapart.errors import RunError
from tellapart.judging.intervals import Estimate
from tellapart.judging.paired import compare
from tellapart.models.classical.estimators import Estimator
from tellapart.models.classical.fit import OverBudgetError
from tellapart.models.resolved_recipe import resolve
from tellapart.training import baselines as module
from tellapart.training.baselines import (
    FILE,
    Baseline,
    baselines,
    better_baseline,
    left_out_baselines,
    read_baselines,
    training_seconds,
)
from tellapart.training.prepare import draw_all_splits
from tellapart.training.run import Run


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TREES", 5)


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """A copy that may be changed."""
    return Run(Path(shutil.copytree(trained.folder, tmp_path / "mine")))


def dataset_of(run: Run, folder: Path) -> Dataset:
    return draw_all_splits(Dataset.open(folder), run.recipe)[0]


def uneven(folder: Path, coloured: Callable[..., Path]) -> Path:
    """Three times as many blue images as red ones, in the owner's own splits."""
    for seed, (split, each) in enumerate((("train", 12), ("test", 8))):
        coloured(folder / split, each=each, colours=("blue", "red"), seed=seed)
        for path in sorted((folder / split / "red").iterdir())[each // 4 :]:
            path.unlink()
    return folder


def test_they_are_the_majority_and_simple_classifiers_on_the_same_images(run: Run, tiny: Path) -> None:
    dataset = dataset_of(run, tiny)
    found = baselines(run, dataset)
    assert [one.name for one in found] == ["majority class", *module.NAMES.values()]
    assert {one.split for one in found} == {"test"}
    assert {one.images for one in found} == {len(dataset.splits["train"])}
    assert [one.stands_on for one in found] == ["nothing", *["pixels"] * 3]
    own = run.metrics["test"]["accuracy"]["value"]
    for one in found:
        assert one.accuracy.low <= one.accuracy.value <= one.accuracy.high
        assert one.difference.value == pytest.approx(own - one.accuracy.value)
        assert 0 < one.p_value <= 1
    assert found[1].accuracy.value > 0.5  # colours are easily told


def test_the_majority_is_that_of_the_training_images(coloured: Callable[..., Path], tmp_path: Path) -> None:
    folder = uneven(tmp_path / "data", coloured)
    recipe = Recipe(model="logistic", features="pixels", size=20, validation=0.0)
    run = train(Dataset.open(folder), recipe, out=tmp_path / "run")
    majority, *others = baselines(run, dataset_of(run, folder))
    assert majority.accuracy.value == pytest.approx(8 / 10)
    assert majority.images == 15
    assert "logistic regression" not in [one.name for one in others]
    answers = read_predictions(run.folder, "test")
    assert answers is not None
    always = np.tile(np.array([0.8, 0.2], np.float32), (10, 1))
    assert majority.p_value == compare(answers.labels, answers.probs, always).mcnemar.p_value


def test_a_baseline_answers_as_a_run_of_its_own_does(run: Run, tiny: Path, tmp_path: Path) -> None:
    found = {one.name: one for one in baselines(run, dataset_of(run, tiny))}
    for model in ("knn", "forest"):
        recipe = Recipe(model=model, features="pixels", size=20, trees=5, precision="float32")
        alone = train(Dataset.open(tiny), recipe, out=tmp_path / model)
        assert found[module.NAMES[model]].accuracy.as_json() == alone.metrics["test"]["accuracy"]


def test_without_a_test_split_they_are_judged_on_validation(tiny: Path, tmp_path: Path) -> None:
    recipe = Recipe(model="knn", features="pixels", size=20, test=0.0)
    run = train(Dataset.open(tiny), recipe, out=tmp_path / "run")
    assert {one.split for one in baselines(run, dataset_of(run, tiny))} == {"validation"}


def test_they_are_kept_and_read_again(run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = baselines(run, dataset_of(run, tiny))
    monkeypatch.setattr(module, "_evaluate", None)
    assert baselines(run, dataset_of(run, tiny)) == first
    assert all(isinstance(one, Baseline) for one in first)


@pytest.mark.parametrize("content", ["", "{}x", "[1]", '[{"name": "x"}]', '[{"accuracy": 1, "difference": 2}]'])
def test_a_damaged_file_is_refused_with_what_to_do(run: Run, tiny: Path, content: str) -> None:
    (run.folder / FILE).write_text(content)
    with pytest.raises(RunError, match=r"cannot be read .* remove it, and it is made again"):
        baselines(run, dataset_of(run, tiny))


def test_a_file_of_another_shape_is_refused_too(run: Run, tiny: Path) -> None:
    first = json.dumps([{"accuracy": {"value": 1}, "difference": {"value": 1}}])
    (run.folder / FILE).write_text(first)
    with pytest.raises(RunError, match="it is made again"):
        baselines(run, dataset_of(run, tiny))


def baseline(name: str, difference: float, p_value: float) -> Baseline:
    accuracy = Estimate(0.9 - difference, 0.0, 1.0)
    return Baseline(name, "test", "pixels", 100, accuracy, Estimate(difference, -1.0, 1.0), p_value)


@pytest.mark.parametrize(
    ("rivals", "message"),
    [
        ([], None),
        ([baseline("forest", 0.05, 0.001), baseline("k nearest neighbours", -0.05, 0.06)], None),
        (
            [baseline("forest", -0.04, 0.01), baseline("k nearest neighbours", -0.05, 0.041)],
            "k nearest neighbours on pixels is significantly better on test: accuracy 95.0% against 90.0% "
            "(paired test, p = 0.041): try --model knn --features pixels, or train longer with more --epochs",
        ),
        (
            [baseline("majority class", -0.05, 0.01)],
            "majority class is significantly better on test: accuracy 95.0% against 90.0% (paired test, p = 0.01): "
            "check the labels and the learning rate",
        ),
    ],
)
def test_the_best_baseline_is_named_where_it_beats_the_run_significantly(
    run: Run, rivals: list[Baseline], message: str | None
) -> None:
    assert better_baseline(run) is None  # no report has been written
    (run.folder / FILE).write_text(json.dumps([asdict(rival) for rival in rivals]))
    assert list(read_baselines(run)) == rivals
    assert better_baseline(run) == message


def test_of_very_many_training_images_some_are_taken(run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_IMAGES", 10)
    dataset = dataset_of(run, tiny)
    majority, *others = baselines(run, dataset)
    assert majority.images == len(dataset.splits["train"]) > 10
    assert {one.images for one in others} == {10}


def test_a_run_that_kept_no_answers_is_refused(run: Run, tiny: Path) -> None:
    (run.folder / "answers" / "test.npz").unlink()
    with pytest.raises(RunError, match="has no answers on test: train it again"):
        baselines(run, dataset_of(run, tiny))


def test_images_that_cannot_be_read_any_more_are_a_sentence(
    run: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = Path(shutil.copytree(tiny, tmp_path / "moved"))
    dataset = dataset_of(run, moved)
    Path(dataset.splits["test"].images.name(0)).unlink()
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    with pytest.raises(RunError, match="1 of the images that the run was judged on cannot be read any more"):
        baselines(run, dataset)


@pytest.mark.parametrize(
    ("recipe", "stands_on", "weights"),
    [
        (Recipe(model="cnn", size=20), "pixels", "none"),
        (Recipe(model="mobilenet", size=32, unfreeze=3, then=("epochs=2",)), "mobilenet", "imagenet"),
        (Recipe(model="mobilenet", size=32, weights="none"), "pixels", "none"),
        (Recipe(model="knn", features="xception"), "xception", "imagenet"),
    ],
)
def test_they_use_the_backbone_of_the_run_where_it_has_one(
    recipe: Recipe, stands_on: str, weights: str, tiny: Path
) -> None:
    asked = resolve(recipe, own_size=None)
    found = module._estimator_recipe(replace(asked, validation=0.15), Dataset.open(tiny), "logistic")
    assert (found.model, found.features, found.size, found.weights) == ("logistic", stands_on, asked.size, weights)
    assert (found.precision, found.split_seed, found.validation) == ("auto", 0, 0.15)


def test_a_baseline_that_takes_longer_than_the_budget_is_left_out_by_name(
    run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def grow(*_: object, limit_s: float, **__: object) -> Estimator:
        raise OverBudgetError(255)

    monkeypatch.setattr(module, "random_forest", grow)
    names = [entry.name for entry in baselines(run, dataset_of(run, tiny), budget_s=1_000)]
    assert names == ["majority class", "k nearest neighbours", "logistic regression"]
    (entry,) = left_out_baselines(run)
    assert entry.name == "forest"
    assert re.fullmatch(r"it would take about 255 s, and [\d,]+ s of 1,000 s for all baselines are left", entry.reason)
    assert f"left out: forest: {entry.reason}" in capsys.readouterr().err
    assert read_baselines(run) == baselines(run, dataset_of(run, tiny))


def test_without_time_only_what_is_not_fitted_is_there(run: Run, tiny: Path) -> None:
    names = [entry.name for entry in baselines(run, dataset_of(run, tiny), budget_s=0)]
    assert names == ["majority class", "k nearest neighbours"]
    assert [entry.name for entry in left_out_baselines(run)] == ["logistic regression", "forest"]


def test_the_budget_is_the_time_of_all_epochs(run: Run) -> None:
    first = training_seconds(run)
    (run.folder / "stage-2").mkdir()
    shutil.copy(run.folder / "history.csv", run.folder / "stage-2")
    assert first > 0
    assert training_seconds(run) == pytest.approx(2 * first)
