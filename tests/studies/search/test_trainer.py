"""A trial resumes from its checkpoint, and shares with others only what changes nothing."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.errors import StorageError
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe, Schedule
from tellapart.studies import loop_cache
from tellapart.studies.loop_cache import loop_key
from tellapart.studies.search import trainer as trainer_module
from tellapart.studies.search.trainer import Trainer
from tellapart.training.fitting import checkpoints
from tellapart.training.fitting.checkpoints import Checkpoint, History, found

RECIPE = resolve_network(Recipe(model="mlp", size=20, units=8, dropout=0.3, epochs=4, batch_size=8), own_size=None)
SCHEDULES = [
    pytest.param(
        schedule, ema, marks=() if (schedule, ema) in (("plateau", 0.0), ("one-cycle", 0.5)) else pytest.mark.long
    )
    for schedule in get_args(Schedule)
    for ema in (0.0, 0.5)
]
CHANGES = [
    {"optimizer": "sgd"},
    *(pytest.param(change, marks=pytest.mark.long) for change in ({"units": 4}, {"dropout": 0.0}, {"batch_size": 4})),
]


def nothing() -> None:
    """Stand in for a progress bar."""


def numbers(history: History) -> list[dict[str, Any]]:
    return [{**asdict(row), "seconds": 0} for row in history]


@pytest.fixture
def dataset(tiny: Path) -> Dataset:
    """Three classes, with a validation split."""
    return draw_splits(Dataset.open(tiny), validation=0.3, test=0, seed=0)


def test_a_promoted_trial_ends_as_an_uninterrupted_one(dataset: Dataset, tmp_path: Path) -> None:
    calls: list[int] = []
    at_once = Trainer(dataset, tmp_path / "at once").train(3, RECIPE, 4, lambda: calls.append(1))
    trainer = Trainer(dataset, tmp_path / "by rungs")
    first = trainer.train(3, RECIPE, 1, nothing)
    trainer.train(4, replace(RECIPE, learning_rate=0.1), 2, nothing)  # another one in between, on the same loop
    by_rungs = Trainer(dataset, tmp_path / "by rungs").train(3, RECIPE, 4, nothing)
    assert numbers(by_rungs) == numbers(at_once)
    assert by_rungs[:1] == first
    assert len(calls) == 4
    states = [found(tmp_path / name / "0003")[-1].state() for name in ("at once", "by rungs")]
    assert all(np.array_equal(one, other) for one, other in zip(*states, strict=True))


@pytest.mark.parametrize(("schedule", "ema"), SCHEDULES)
def test_a_trial_on_the_compiled_loop_of_another_ends_as_on_its_own(
    dataset: Dataset, tmp_path: Path, schedule: Schedule, ema: float
) -> None:
    before = replace(RECIPE, schedule=schedule, ema=ema, learning_rate=0.1, seed=5, label_smoothing=0.1)
    recipe = replace(before, learning_rate=0.003, seed=6, label_smoothing=0.0, class_weight="balanced", epochs=3)
    shared, own = Trainer(dataset, tmp_path / "shared"), Trainer(dataset, tmp_path / "own")
    shared.train(0, before, 2, nothing)
    assert numbers(shared.train(1, recipe, 3, nothing)) == numbers(own.train(1, recipe, 3, nothing))
    assert len(shared._loops.free) == 1


@pytest.mark.parametrize("change", CHANGES)
def test_trials_with_another_loop_key_have_their_own_loop(
    dataset: Dataset, tmp_path: Path, change: dict[str, Any]
) -> None:
    recipe = replace(RECIPE, **change)
    shared, own = Trainer(dataset, tmp_path / "shared"), Trainer(dataset, tmp_path / "own")
    shared.train(0, RECIPE, 1, nothing)
    assert numbers(shared.train(1, recipe, 1, nothing)) == numbers(own.train(1, recipe, 1, nothing))
    assert len(shared._loops.free) == 2
    assert len(shared._backbones._tasks) == 1


def test_recipes_with_another_image_size_have_their_own_examples(dataset: Dataset, tmp_path: Path) -> None:
    trainer = Trainer(dataset, tmp_path)
    trainer.train(0, RECIPE, 1, nothing)
    trainer.train(1, replace(RECIPE, size=10), 1, nothing)
    tasks = trainer._backbones._tasks.values()
    assert sorted(task.train.inputs[:1].shape for task in tasks) == [
        (1, 10, 10, 3),
        (1, 20, 20, 3),
    ]


def test_loops_are_dropped_beyond_the_memory_limit(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_cache, "MAX_LOOP_BYTES", 1)
    trainer = Trainer(dataset, tmp_path)
    for number, units in enumerate((4, 6)):
        trainer.train(number, replace(RECIPE, units=units), 1, nothing)
    assert [*trainer._loops.free] == [loop_key(replace(RECIPE, units=6))]


def test_an_old_checkpoint_left_by_a_kill_is_removed(dataset: Dataset, tmp_path: Path) -> None:
    trainer, place = Trainer(dataset, tmp_path), tmp_path / "0000"
    trainer.train(0, RECIPE, 1, nothing)
    older = found(place)[-1].folder
    kept = shutil.copytree(older, tmp_path / "kept")
    history = trainer.train(0, RECIPE, 2, nothing)
    shutil.copytree(kept, older)
    assert trainer.train(0, RECIPE, 2, nothing) == history
    assert [one.epoch for one in found(place)] == [2]


def test_a_long_step_has_checkpoints_in_between(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "CHECKPOINT_EVERY_S", 0.0)
    seen: list[int] = []

    def look() -> None:
        seen.append(len(found(tmp_path / "0000")))

    trainer = Trainer(dataset, tmp_path)
    trainer.train(0, RECIPE, 3, look)
    assert seen == [0, 1, 1]
    assert [one.epoch for one in found(tmp_path / "0000")] == [3]
    assert len(trainer.train(0, RECIPE, 2, look)) == 2
    assert len(seen) == 3


def test_a_checkpoint_of_a_worker_given_up_for_dead_is_used(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Trainer(dataset, tmp_path).train(0, RECIPE, 2, nothing)
    unseen = [True]

    def seen(folder: Path) -> list[Checkpoint]:
        return [] if unseen and unseen.pop() else found(folder)  # it was stored after the other had looked

    monkeypatch.setattr(checkpoints, "found", seen)
    assert numbers(Trainer(dataset, tmp_path).train(0, RECIPE, 2, nothing)) == numbers(first)
    assert [one.epoch for one in found(tmp_path / "0000")] == [2]


def test_a_checkpoint_refused_by_the_disk_is_an_error(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(checkpoints, "write", refuse)
    with pytest.raises(StorageError, match="the disk is full"):
        Trainer(dataset, tmp_path).train(0, RECIPE, 1, nothing)
