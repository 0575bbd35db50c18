"""A network from scratch within a budget: the epochs that fit, the same when it resumes, and none without a word."""

from dataclasses import replace
from pathlib import Path

import pytest

from tellapart import Dataset, Recipe
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.errors import RunError
from tellapart.models.resolved_recipe import NetworkRecipe, resolve_network
from tellapart.training import scratch_budget
from tellapart.training.budget import limits_of
from tellapart.training.forecast import Cost
from tellapart.training.run import train
from tellapart.training.scratch_budget import within_budget

RECIPE = resolve_network(Recipe(model="cnn", size=20, epochs=15, precision="float32"))


@pytest.fixture
def dataset(tiny: Path) -> Dataset:
    return draw_splits(Dataset.open(tiny), validation=0.2, test=0.2, seed=0)


@pytest.fixture(autouse=True)
def epochs_of_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forecast one minute for each epoch, and none before."""

    def forecast(*_: object, **__: object) -> Cost:
        return Cost(0.0, 0.0, 60.0, 0)

    monkeypatch.setattr(scratch_budget, "forecast", forecast)
    monkeypatch.setattr(scratch_budget, "MIN_NUMBERS", 0)


def chosen(dataset: Dataset, folder: Path, recipe: NetworkRecipe = RECIPE, *, seconds: float | None = None) -> int:
    return within_budget(dataset, recipe, folder, limits_of("standard", seconds)).epochs


def test_it_gets_the_epochs_that_fit_and_says_what_allows_all(
    dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chosen(dataset, tmp_path) == 5
    said = capsys.readouterr().err
    assert "cnn: 15 epochs would take about 15.0 min, more than the 5.0 min that there are: at most 5" in said
    assert "--time 20m allows all" in said
    assert chosen(dataset, tmp_path, seconds=7200) == 5  # as it was chosen when the run began
    assert Recipe.read(tmp_path / "winner.toml").epochs == 5


def test_all_its_epochs_where_they_fit_and_never_more(dataset: Dataset, tmp_path: Path) -> None:
    assert chosen(dataset, tmp_path, seconds=7200) == 15


def test_small_work_is_not_forecast(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch_budget, "MIN_NUMBERS", 1e6)
    assert chosen(dataset, tmp_path) == 15
    assert chosen(dataset, tmp_path, replace(RECIPE, epochs=15_000)) == 5


def test_no_time_for_one_epoch_is_refused_and_leaves_the_folder_free(tiny: Path, tmp_path: Path) -> None:
    recipe = Recipe(model="cnn", size=20, precision="float32")
    with pytest.raises(RunError, match=r"one epoch of cnn at 20 pixels .* --time \d+[mh], or take a cheaper way"):
        train(Dataset.open(tiny), recipe, out=tmp_path / "run", seconds=30)
    assert not list((tmp_path / "run").iterdir())
