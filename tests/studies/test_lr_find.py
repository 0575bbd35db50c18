"""A range test: where the loss falls, where it rises, and what it suggests."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.sources.arrays import array_split
from tellapart.errors import DatasetError, RecipeError
from tellapart.recipe import Recipe
from tellapart.studies.lr_find import MAX_RATE, MIN_RATE, SMOOTHING, RateTest, lr_find
from tellapart.training.fitting.loop import Loop
from tellapart.training.run import train

MLP = Recipe(model="mlp", size=20, batch_size=8)


def curve(loss: np.ndarray) -> RateTest:
    return RateTest(np.geomspace(1e-7, 10, len(loss)), loss)


def test_the_smoothed_loss_is_a_bias_corrected_running_mean() -> None:
    found = curve(np.array([2.0, 1.0, 4.0]))
    weights = SMOOTHING ** np.arange(3)
    expected = [2.0, (1 + 2 * SMOOTHING) / (1 + SMOOTHING), np.dot([4, 1, 2], weights) / weights.sum()]
    np.testing.assert_allclose(found.smoothed, expected)


def test_the_suggestions_are_the_steepest_rate_and_a_tenth_of_the_rate_of_the_least_loss() -> None:
    rates = np.geomspace(1e-7, 10, 2000)  # so many that smoothing hardly lags
    loss = 2 - 1.5 / (1 + np.exp(-4 * (np.log10(rates) + 3))) + np.maximum(np.log10(rates), -0.5) + 0.5
    found = RateTest(rates, loss)
    assert found.learned
    assert found.steepest == pytest.approx(1e-3, rel=0.15)
    assert found.least == pytest.approx(10**-0.5, rel=0.15)
    assert found.tenth == pytest.approx(found.least / 10)
    assert found.recommended == pytest.approx(found.steepest, rel=0.05)
    assert f"{found.recommended:.1e}" == f"{found.steepest:.1e}"


def test_a_steep_beginning_is_noise() -> None:
    loss = np.r_[np.linspace(4, 2.5, 5), np.full(95, 2.5), np.linspace(2.5, 1.0, 40), np.linspace(1.0, 9, 10)]
    assert curve(loss).steepest > 1e-3


@pytest.mark.parametrize("loss", [np.full(60, 2.3), np.linspace(2.3, 9, 60), np.linspace(2.3, 2.2, 60)])
def test_a_loss_that_never_falls_gives_no_recommendation(loss: np.ndarray) -> None:
    found = curve(loss)
    assert not found.learned
    assert np.isfinite([found.steepest, found.tenth, found.recommended]).all()


def test_the_rate_found_trains_better_than_rates_far_from_it(tiny: Path, tmp_path: Path) -> None:
    recipe = replace(MLP, optimizer="sgd", epochs=3, monitor="val_loss")
    found = lr_find(Dataset.open(tiny), recipe)
    assert found.learned
    losses = {}
    for factor in (1e-3, 1.0, 1e3):
        tried = replace(recipe, learning_rate=found.recommended * factor)
        run = train(Dataset.open(tiny), tried, out=tmp_path / f"{factor}")
        losses[factor] = run.metrics["test"]["log_loss"]["value"]
    assert losses[1.0] < min(losses[1e-3], losses[1e3])


def test_a_test_repeats_and_neither_the_recipes_rate_nor_its_schedule_matters(tiny: Path) -> None:
    one = lr_find(Dataset.open(tiny), MLP, steps=30)
    other = lr_find(Dataset.open(tiny), replace(MLP, learning_rate=5.0, schedule="cosine", epochs=9), steps=30)
    np.testing.assert_array_equal(one.losses, other.losses)
    np.testing.assert_allclose(one.rates, np.geomspace(MIN_RATE, MAX_RATE, 30)[: len(one.rates)])


def test_it_ends_when_the_loss_diverges_or_is_not_a_number(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def losses(*_: object) -> "list[float]":
        return scripted

    monkeypatch.setattr(Loop, "steps_at", losses)
    scripted = [2.0] * 10 + [1.0] * 10 + [100.0] * 10
    assert len(lr_find(Dataset.open(tiny), MLP, steps=30).losses) == 21
    scripted = [2.0] * 10 + [float("nan")] * 20
    assert lr_find(Dataset.open(tiny), MLP, steps=30).losses.tolist() == [2.0] * 10
    scripted = [float("nan")] * 30
    with pytest.raises(DatasetError, match="not a number from the first step on"):
        lr_find(Dataset.open(tiny), MLP, steps=30)


def test_it_uses_training_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shades = np.arange(1, 31, dtype=np.uint8)
    images = np.broadcast_to(shades[:, None, None, None], (30, 8, 8, 1)).copy()
    splits = {"train": slice(0, 10), "validation": slice(10, 20), "test": slice(20, 30)}
    parts = {name: array_split(images[rows], np.arange(10) % 2) for name, rows in splits.items()}
    seen: set[int] = set()
    real = Loop._learned

    def learned(self: Loop, ready: object, by_step: object) -> object:
        seen.update(np.unique(ready.inputs).tolist())  # type: ignore[attr-defined]
        return real(self, ready, by_step)  # type: ignore[arg-type]

    monkeypatch.setattr(Loop, "_learned", learned)
    lr_find(Dataset("shades", ("a", "b"), parts), replace(MLP, size=8, batch_size=4), steps=20)
    assert seen == set(range(1, 11))


@pytest.mark.parametrize(
    ("changes", "steps", "phrase"),
    [
        ({"model": "knn"}, 150, "knn has no learning rate"),
        ({"then": ("epochs=1",)}, 150, "the test has one stage"),
        ({}, 19, "steps is 19; expected 20 to 10,000"),
        ({}, 10_001, "steps is 10001"),
        ({"model": "mpl"}, 150, "mlp"),
    ],
)
def test_recipes_without_a_learning_rate_are_refused(
    changes: dict[str, object], steps: int, phrase: str, tiny: Path
) -> None:
    with pytest.raises(RecipeError, match=phrase):
        lr_find(Dataset.open(tiny), Recipe.of({**MLP.as_dict(), **changes}), steps=steps)
