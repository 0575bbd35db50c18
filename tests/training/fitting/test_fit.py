"""Fitting: early stopping, checkpoints, and resuming after a kill."""

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.errors import RunError
from tellapart.files import atomic_folder
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe, Schedule
from tellapart.training.fitting import checkpoints
from tellapart.training.fitting.checkpoints import Epoch, History
from tellapart.training.fitting.examples import Examples
from tellapart.training.fitting.fit import best_epoch, fit, restore_epoch
from tellapart.training.fitting.loop import Loop, Score

from .conftest import Fresh, Learnable

RECIPE = resolve_network(
    Recipe(optimizer="adam", learning_rate=0.02, batch_size=4, inner=8, dropout=0.3, epochs=4, patience=100)
)


def history_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as stream:
        return [{**row, "seconds": ""} for row in csv.DictReader(stream)]


def same(one: keras.Model, other: keras.Model) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def scripted(monkeypatch: pytest.MonkeyPatch, losses: list[float], accuracies: list[float] | None = None) -> None:
    """Let validation say what the test wants, epoch by epoch."""
    scores = zip(losses, accuracies or [0.5] * len(losses), strict=True)
    monkeypatch.setattr(Loop, "score", lambda *_: Score(*next(scores)))


def weights_by_epoch(monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """Keep the network's weights after each epoch."""
    kept: list[list[Any]] = []
    epoch = Loop.epoch

    def keeping(
        self: Loop, examples: Examples, number: int, advance: Callable[[int], None], *, rate_factor: float
    ) -> Score:
        score = epoch(self, examples, number, advance, rate_factor=rate_factor)
        kept.append([np.copy(array) for array in self.network.get_weights()])
        return score

    monkeypatch.setattr(Loop, "epoch", keeping)
    return kept


def test_one_seed_repeats_weights_and_history_exactly_and_another_does_not(
    fresh: Fresh, learnable: Learnable, tmp_path: Path
) -> None:
    networks = []
    for number, seed in enumerate([7, 7, 8]):
        recipe = replace(RECIPE, seed=seed)
        networks.append(fresh(recipe))
        fit(networks[-1], recipe, learnable(60), learnable(20, seed=1), folder=tmp_path / str(number))
    assert same(networks[0], networks[1])
    assert not same(networks[0], networks[2])
    assert history_of(tmp_path / "0") == history_of(tmp_path / "1")
    assert history_of(tmp_path / "0") != history_of(tmp_path / "2")


def test_the_best_epochs_weights_are_restored(
    fresh: Fresh, learnable: Learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [0.9, 0.5, 0.7, 0.6])
    kept = weights_by_epoch(monkeypatch)
    network = fresh(RECIPE)
    history, best = fit(network, RECIPE, learnable(40), learnable(10), folder=tmp_path)
    assert (best, len(history)) == (2, 4)
    assert all(np.array_equal(a, b) for a, b in zip(network.get_weights(), kept[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(network.get_weights(), kept[3], strict=True))


@pytest.mark.parametrize(
    ("losses", "patience", "min_delta", "epochs", "best"),
    [
        ([0.9, 0.5, 0.6, 0.6, 0.4, 0.3], 2, 0.0, 4, 2),
        ([0.9, 0.5, 0.6, 0.6, 0.4, 0.3], 3, 0.0, 6, 6),
        ([0.9, 0.89, 0.88, 0.87, 0.86, 0.85], 3, 0.02, 6, 4),  # 0.87 is the first that is lower by more than 0.02
        ([0.9, 0.895, 0.89, 0.885, 0.88, 0.8], 2, 0.02, 3, 1),
        ([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 3, 0.0, 4, 1),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 0, 0.0, 6, 1),  # no patience is asked for: all epochs
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 1, 0.0, 6, 6),
    ],
)
def test_training_stops_after_patience_epochs_without_improvement(
    losses: list[float],
    patience: int,
    min_delta: float,
    epochs: int,
    best: int,
    fresh: Fresh,
    learnable: Learnable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripted(monkeypatch, losses)
    recipe = replace(RECIPE, epochs=6, patience=patience, min_delta=min_delta)
    history, found = fit(fresh(recipe), recipe, learnable(8), learnable(4), folder=tmp_path)
    assert (len(history), found) == (epochs, best)


def test_accuracy_can_be_what_chooses(
    fresh: Fresh, learnable: Learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [0.1, 0.2, 0.3, 0.4], [0.5, 0.8, 0.8, 0.6])
    recipe = replace(RECIPE, monitor="val_accuracy")
    _, best = fit(fresh(recipe), recipe, learnable(8), learnable(4), folder=tmp_path)
    assert best == 2
    names = [one.folder.name for one in checkpoints.found(tmp_path / "checkpoints")]
    assert names == ["epoch-0002-val_loss-0.2000-val_accuracy-0.8000", "epoch-0004-val_loss-0.4000-val_accuracy-0.6000"]


def test_without_validation_all_epochs_run_and_the_last_is_kept(
    fresh: Fresh, learnable: Learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = weights_by_epoch(monkeypatch)
    recipe, network = replace(RECIPE, patience=1), fresh(RECIPE)
    history, best = fit(network, recipe, learnable(40), None, folder=tmp_path)
    assert (best, len(history)) == (4, 4)
    assert all(np.array_equal(a, b) for a, b in zip(network.get_weights(), kept[3], strict=True))
    assert {row["val_loss"] for row in history_of(tmp_path)} == {""}
    (last,) = checkpoints.found(tmp_path / "checkpoints")
    assert last.folder.name == f"epoch-0004-loss-{history[-1].loss:.4f}-accuracy-{history[-1].accuracy:.4f}"


def test_the_history_has_one_row_per_epoch_and_its_columns(fresh: Fresh, learnable: Learnable, tmp_path: Path) -> None:
    history, _ = fit(fresh(RECIPE), RECIPE, learnable(40), learnable(20), folder=tmp_path)
    rows = history_of(tmp_path)
    columns = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"]
    assert list(rows[0]) == columns
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [float(row["val_loss"]) for row in rows] == [row.val_loss for row in history]
    assert {row["learning_rate"] for row in rows} == {"0.02"}


@pytest.mark.parametrize("killed_after", [1, 2, 3])
@pytest.mark.parametrize(("patience", "schedule"), [(1, "constant"), (100, "cosine")])
def test_resuming_after_any_epoch_ends_with_the_same_weights(
    killed_after: int,
    patience: int,
    schedule: Schedule,
    fresh: Fresh,
    learnable: Learnable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = replace(RECIPE, patience=patience, schedule=schedule)
    train, validation = learnable(61), learnable(20, seed=1, noise=3)
    whole = fresh(recipe)
    history, best = fit(whole, recipe, train, validation, folder=tmp_path / "whole")
    epoch = Loop.epoch

    def killed(
        self: Loop, examples: Examples, number: int, advance: Callable[[int], None], *, rate_factor: float
    ) -> Score:
        if number == killed_after:
            raise KeyboardInterrupt
        return epoch(self, examples, number, advance, rate_factor=rate_factor)

    monkeypatch.setattr(Loop, "epoch", killed)
    if killed_after < len(history):
        with pytest.raises(KeyboardInterrupt):
            fit(fresh(recipe), recipe, train, validation, folder=tmp_path / "parts")
    monkeypatch.setattr(Loop, "epoch", epoch)
    resumed = fresh(recipe)
    history_again, best_again = fit(resumed, recipe, train, validation, folder=tmp_path / "parts")
    assert same(whole, resumed)
    assert (best_again, len(history_again)) == (best, len(history))
    assert history_of(tmp_path / "whole") == history_of(tmp_path / "parts")


def test_a_kill_between_the_last_checkpoint_and_the_history_leaves_no_gap_in_the_history(
    fresh: Fresh, learnable: Learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, validation = learnable(20), learnable(10, seed=1)
    write = checkpoints.write

    def killed(folder: Path, history: History, state: list[NDArray[Any]]) -> None:
        write(folder, history, state)
        if len(history) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(fresh(RECIPE), RECIPE, train, validation, folder=tmp_path)
    monkeypatch.setattr(checkpoints, "write", write)
    history, best = fit(fresh(RECIPE), RECIPE, train, validation, folder=tmp_path)
    assert [int(row["epoch"]) for row in history_of(tmp_path)] == [row.epoch for row in history] == [1, 2, 3, 4]
    assert {one.epoch for one in checkpoints.found(tmp_path / "checkpoints")} == {best, 4}


def test_what_a_kill_left_half_written_is_removed_and_not_read(
    fresh: Fresh, learnable: Learnable, tmp_path: Path
) -> None:
    half = tmp_path / "checkpoints" / ".partial-abc"
    half.mkdir(parents=True)
    (half / "state.npz").write_bytes(b"half")
    fit(fresh(RECIPE), RECIPE, learnable(8), learnable(4), folder=tmp_path)
    assert not half.exists()


def test_a_loss_that_is_not_a_number_never_counts_as_the_best() -> None:
    def row(epoch: int, loss: float) -> Epoch:
        return Epoch(epoch, 1.0, 0.5, loss, 0.5, 0.1, 1.0)

    nan = float("nan")
    assert best_epoch((row(1, 0.5), row(2, nan), row(3, nan)), RECIPE) == 1
    assert best_epoch((row(1, nan), row(2, 0.5), row(3, 0.6)), RECIPE) == 2


def test_only_the_best_and_the_newest_checkpoint_are_kept(
    fresh: Fresh, learnable: Learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [0.9, 0.5, 0.7, 0.6])
    fit(fresh(RECIPE), RECIPE, learnable(8), learnable(4), folder=tmp_path)
    names = sorted(path.name[:26] for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["epoch-0002-val_loss-0.5000", "epoch-0004-val_loss-0.6000"]


def test_resuming_does_not_depend_on_a_checkpoint_of_another_epoch_being_there(
    fresh: Fresh, learnable: Learnable, tmp_path: Path
) -> None:
    fit(fresh(RECIPE), RECIPE, learnable(20), None, folder=tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with atomic_folder(tmp_path / "b" / "checkpoints" / "notes") as folder:
        (folder / "mine.txt").touch()
    one, other = fresh(RECIPE), fresh(RECIPE)
    fit(one, RECIPE, learnable(20), None, folder=tmp_path / "a")
    fit(other, RECIPE, learnable(20), None, folder=tmp_path / "b")
    assert same(one, other)


def test_the_last_epoch_is_kept_where_asked_for(
    fresh: Fresh, learnable: Learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [0.5, 0.9, 0.8])
    kept = weights_by_epoch(monkeypatch)
    recipe = replace(RECIPE, epochs=3, patience=5, keep="last")
    network = fresh(recipe)
    _, chosen = fit(network, recipe, learnable(20), learnable(5), folder=tmp_path)
    assert chosen == 3
    for mine, yours in zip(network.get_weights(), kept[2], strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_all_checkpoints_stay_where_asked_for(fresh: Fresh, learnable: Learnable, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=4, patience=5, keep="all")
    fit(fresh(recipe), recipe, learnable(20), learnable(5), folder=tmp_path)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert [name[:10] for name in names] == ["epoch-0001", "epoch-0002", "epoch-0003", "epoch-0004"]


def test_the_weights_of_an_epoch_come_from_its_checkpoint(
    fresh: Fresh, learnable: Learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = weights_by_epoch(monkeypatch)
    recipe = replace(RECIPE, epochs=3, patience=5, keep="all")
    fit(fresh(recipe), recipe, learnable(20), learnable(5), folder=tmp_path)
    network = fresh(recipe)
    assert restore_epoch(network, recipe, tmp_path, 2) == 2
    for mine, yours in zip(network.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_an_epoch_whose_checkpoint_was_not_kept_is_refused(
    fresh: Fresh, learnable: Learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [0.9, 0.5, 0.7, 0.6])
    fit(fresh(RECIPE), RECIPE, learnable(8), learnable(4), folder=tmp_path)
    with pytest.raises(RunError, match="no checkpoint of epoch 3, only of 2 and 4: train with --keep all"):
        restore_epoch(fresh(RECIPE), RECIPE, tmp_path, 3)


def test_a_plateau_of_the_validation_loss_lowers_the_rate_also_after_a_resume(
    fresh: Fresh, learnable: Learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [0.5, 0.6, 0.6, 0.6, 0.6, 0.6])
    recipe = replace(RECIPE, epochs=4, patience=9, schedule="plateau", learning_rate=0.3)
    first, _ = fit(fresh(recipe), recipe, learnable(20), learnable(5), folder=tmp_path)
    longer = replace(recipe, epochs=6)
    history, _ = fit(fresh(longer), longer, learnable(20), learnable(5), folder=tmp_path)
    assert history[:4] == first
    assert [row.learning_rate for row in history] == pytest.approx([0.3] * 4 + [0.1] * 2)


def test_training_ends_when_the_weights_are_lost(
    fresh: Fresh, learnable: Learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = replace(RECIPE, epochs=9)
    losses = iter((1.0, float("nan")))
    monkeypatch.setattr(Loop, "epoch", lambda *_, **__: Score(next(losses), 0.5))
    history, best = fit(fresh(rates), rates, learnable(20), learnable(20, seed=1), folder=tmp_path)
    assert [len(history), best] == [2, 1]
