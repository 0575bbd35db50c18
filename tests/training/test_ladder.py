"""The ladder: each step forecast, the best kept, the test split opened once at the end."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.predictor import Prediction, Predictor
from tellapart.data.dataset import Dataset
from tellapart.data.image_size import sides_of
from tellapart.errors import RecipeError, RunError
from tellapart.models.resolved_recipe import NetworkRecipe, resolve_network
from tellapart.recipe import Recipe
from tellapart.training import ladder
from tellapart.training.budget import Limits, limits_of
from tellapart.training.forecast import Cost
from tellapart.training.ladder import Ladder
from tellapart.training.run import Run, train

RECIPE = Recipe(model="mobilenet", size=32, precision="float32", weights="imagenet", batch_size=8)
pytestmark = pytest.mark.usefixtures("random_weights")


def rows(run: Run) -> list[dict[str, str]]:
    with (run.folder / "ladder.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every step short."""
    monkeypatch.setattr(ladder, "HEAD_EPOCHS", 3)
    monkeypatch.setattr(ladder, "FINE_TUNING_EPOCHS", 2)
    monkeypatch.setattr(ladder, "HEADS", ladder.HEADS[-2:])
    monkeypatch.setattr(ladder, "LEAST_ERROR", -1.0)


def test_quick_is_the_linear_head_alone(tiny: Path, tmp_path: Path, quick: None) -> None:
    run = train(Dataset.open(tiny), RECIPE, out=tmp_path / "run", budget="quick")
    assert [row["name"] for row in rows(run)] == ["linear head"]
    assert run.bundle.manifest.recipe["epochs"] == 3
    assert set(run.metrics) == {"validation", "test"}


def test_each_step_is_written_down_and_the_best_is_the_bundle(
    tiny: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ladder, "MAX_FAILURES", 100)
    monkeypatch.setattr(ladder, "DEPTHS", {"last block": 0, "last 4 blocks": 3})
    run = train(Dataset.open(tiny), RECIPE, out=tmp_path / "run", budget="best")
    steps = rows(run)
    names = ["linear head", "tuned head", "last block", "last 4 blocks", "flipped views"]
    assert [row["name"] for row in steps] == names
    best = max(steps, key=lambda row: (float(row["accuracy"]), "mirror" not in row["change"], -float(row["loss"])))
    assert [row for row in steps if row["kept"] == "True"][-1] == best
    assert run.metrics["validation"]["accuracy"]["value"] == pytest.approx(float(best["accuracy"]), abs=1e-6)
    assert all(float(row["forecast_s"]) > 0 and float(row["took_s"]) > 0 for row in steps)
    assert Recipe.read(run.folder / "winner.toml") == Recipe.of(dict(run.bundle.manifest.recipe))
    assert not list((run.folder / "steps").glob("*/bundle"))  # the run's own is in their place
    said = capsys.readouterr().err
    assert "step 3, last block: about" in said
    assert "step 3, last block: took" in said


def test_the_winner_trained_by_itself_is_the_same_classifier(
    tiny: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "MAX_FAILURES", 100)
    monkeypatch.setattr(ladder, "DEPTHS", {"last 4 blocks": 3})
    monkeypatch.setattr(Ladder, "tuned_head", lambda _: True)
    monkeypatch.setattr(ladder.Candidate, "rank", property(lambda self: len(self.recipe.then)))  # the last step wins
    run = train(Dataset.open(tiny), RECIPE, out=tmp_path / "ladder", budget="best")
    recipe = Recipe.read(run.folder / "winner.toml")
    assert len(recipe.then) == 2
    assert recipe.stages()[-1].mirror  # its score is that of the bundle, which predicts the mean of both
    assert run.metrics["validation"]["accuracy"]["value"] == pytest.approx(float(rows(run)[-1]["accuracy"]), abs=1e-6)
    again = train(Dataset.open(tiny), recipe, out=tmp_path / "again")
    images = sorted(map(str, tiny.glob("*/0*.png")))
    answers = [
        [one.probability for one in Predictor(each.bundle).predict(images) if isinstance(one, Prediction)]
        for each in (run, again)
    ]
    np.testing.assert_array_equal(answers[0], answers[1])


def test_there_is_always_a_complete_bundle_and_a_killed_ladder_is_resumed(
    tiny: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "DEPTHS", {"last block": 0})
    fine_tune = Ladder.fine_tune

    def killed(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Ladder, "fine_tune", killed)
    with pytest.raises(KeyboardInterrupt):
        train(Dataset.open(tiny), RECIPE, out=tmp_path / "run", budget="best")
    bundles = [Bundle.open(path) for path in (tmp_path / "run" / "steps").glob("*/bundle")]
    assert bundles
    for bundle in bundles:
        bundle.verify()
        assert set(bundle.metrics) == {"validation"}  # test is not opened before every choice is made
        (bundle.folder.parent / ".partial-of-a-kill").mkdir()
    (tmp_path / "run" / "answers").mkdir(exist_ok=True)
    (tmp_path / "run" / "answers" / ".partial-of-a-kill").write_text("half")
    monkeypatch.setattr(Ladder, "fine_tune", fine_tune)
    run = train(Dataset.open(tiny), RECIPE, out=tmp_path / "run", budget="best", resume=True)
    whole = train(Dataset.open(tiny), RECIPE, out=tmp_path / "whole", budget="best")
    assert [(row["name"], row["accuracy"], row["loss"]) for row in rows(run)] == [
        (row["name"], row["accuracy"], row["loss"]) for row in rows(whole)
    ]
    assert not list(run.folder.rglob(".partial-*"))


def test_no_step_begins_that_would_take_more_than_the_time_left(
    tiny: Path, tmp_path: Path, quick: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Limits, "first_room_s", 1e6)  # without it nothing would be trained
    run = train(Dataset.open(tiny), RECIPE, out=tmp_path / "run", seconds=0.01)
    assert [row["name"] for row in rows(run)] == ["linear head"]
    assert "tuned head: would take about" in capsys.readouterr().err


def test_the_ladder_ends_after_steps_without_gain(
    tiny: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder.Candidate, "rank", property(lambda _: 0))  # no step is ever better
    run = train(Dataset.open(tiny), RECIPE, out=tmp_path / "run", budget="best")
    assert [row["kept"] for row in rows(run)] == ["True", "False", "False", "False"]
    assert rows(run)[-1]["name"] == "flipped views"  # tried whatever came before
    monkeypatch.setattr(ladder, "LEAST_ERROR", 1.1)
    run = train(Dataset.open(tiny), RECIPE, out=tmp_path / "enough", budget="best")
    assert len(rows(run)) == 1


def test_a_recipe_that_decides_what_the_ladder_decides_is_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="leave out --time and --budget"):
        train(Dataset.open(tiny), Recipe(model="mobilenet", epochs=3), out=tmp_path / "run", budget="best")
    assert not (tmp_path / "run").exists()


def fake_ladder(monkeypatch: pytest.MonkeyPatch, folder: Path, seconds_per_pixel: float, limits: Limits) -> Ladder:
    """A ladder whose first step costs so many seconds per pixel of an image."""

    def prepare(self: Ladder, stage: NetworkRecipe, weights: object) -> tuple[None, Cost]:
        return None, Cost(seconds_per_pixel * math.prod(sides_of(stage.size)), 0.0, 0.0, 0)

    monkeypatch.setattr(Ladder, "_prepare", prepare)
    recipe = resolve_network(Recipe(model="xception"))
    return Ladder(Dataset("none", ("a", "b"), {}), recipe, folder, limits)


def test_a_first_step_that_takes_too_long_begins_smaller_and_says_what_keeps_the_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = fake_ladder(monkeypatch, tmp_path, 3600 / 299**2, limits_of("standard", None))
    recipe, _, cost = made._affordable(made.recipe, may_shrink=True)
    assert 99 <= max(sides_of(recipe.size)) < 299
    assert cost.seconds(1) < 600
    said = capsys.readouterr().err
    assert "at 299 pixels it would take about 60.1 min, so it begins at" in said
    assert "--size 299 --time 77m" in said


def test_a_first_step_within_its_limit_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fake_ladder(monkeypatch, tmp_path, 500 / 299**2, limits_of("standard", None))
    assert made._affordable(made.recipe, may_shrink=True)[0] == made.recipe


@pytest.mark.parametrize(
    ("may_shrink", "hours", "ways"),
    [
        (False, 0.5, r"--time 39m, or take a cheaper way: --size 99 \(about 3\.3 min\) or --model cnn"),
        (True, 24, r"--time 31h, or take a cheaper way: --model cnn"),
    ],
)
def test_a_first_step_that_no_limit_allows_is_refused_with_cheaper_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_shrink: bool, hours: float, ways: str
) -> None:
    made = fake_ladder(monkeypatch, tmp_path, hours * 3600 / 299**2, limits_of("best", 300.0))
    with pytest.raises(RunError, match=f"Nothing was trained: allow it with {ways}"):
        made._affordable(made.recipe, may_shrink=may_shrink)
