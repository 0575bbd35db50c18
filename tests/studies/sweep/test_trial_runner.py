"""Parallel trials: each ends as it does alone, and those not needed end with the runner."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, cast

import keras
import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.preprocessing import Preprocessing
from tellapart.models.networks import head_network
from tellapart.models.resolved_recipe import NetworkRecipe, resolve_network
from tellapart.recipe import Recipe
from tellapart.studies import loop_cache
from tellapart.studies.sweep import trial_runner
from tellapart.studies.sweep.background_trial import Outcome
from tellapart.studies.sweep.trial_runner import TrialRunner
from tellapart.training.fitting.checkpoints import Epoch
from tellapart.training.fitting.examples import Examples
from tellapart.training.fitting.loop import Loop, Score, seed_everything
from tellapart.training.tasks import Backbone, Task

RECIPE = resolve_network(Recipe(
    model="xception", optimizer="adam", learning_rate=0.01, schedule="constant", batch_size=8, epochs=4, patience=9,
    inner=8, dropout=0.3, label_smoothing=0.0, class_weight="none", ema=0.0,
))  # fmt: skip
ROUND = [replace(RECIPE, learning_rate=rate) for rate in (1e-3, 1e-2, 1e-1)] + [replace(RECIPE, dropout=0.0)]
FOREVER = 100_000  # epochs: minutes


def examples(count: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    return Examples(rng.normal(size=(count, 6)).astype(np.float32), rng.integers(0, 3, count).astype(np.int32))


class Heads:
    """The backbone cache of heads on vectors, without a backbone or images."""

    def __init__(self, _: Dataset) -> None:
        self.train, self.validation = examples(60, 1), examples(20, 2)

    def has(self, _: NetworkRecipe) -> bool:
        """Always."""
        return True

    def network(self, recipe: NetworkRecipe) -> keras.Model:
        """A fresh head."""
        seed_everything(recipe.seed)
        return head_network(6, recipe, 3)

    def task(self, recipe: NetworkRecipe) -> Task:
        """The vectors, and some head."""
        nothing = cast("tuple[Preprocessing, Backbone]", (None, None))
        return Task(self.network(recipe), recipe, *nothing, self.train, self.validation, cast("Dataset", None))


@pytest.fixture
def runner_on(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Any]:
    """Make a runner that sees a given number of cores, and close it at the end."""
    monkeypatch.setattr(trial_runner, "BackboneCache", Heads)

    @contextmanager
    def make(cores: int) -> Iterator[TrialRunner]:
        monkeypatch.setattr(trial_runner, "cores", lambda: cores)
        runner = TrialRunner(cast("Dataset", None))
        try:
            yield runner
        finally:
            runner.close()

    return make


def ignored(_: Epoch) -> None:
    """Show nothing."""


def trained(runner: TrialRunner, recipes: list[NetworkRecipe]) -> list[Outcome]:
    later = [recipes[i + 1 :] for i in range(len(recipes))]
    return [
        runner.train(recipe, ignored, following=rest, ahead=rest[0] if rest else None)
        for recipe, rest in zip(recipes, later, strict=True)
    ]


def without_seconds(outcome: Outcome) -> list[dict[str, Any]]:
    return [{**asdict(row), "seconds": 0} for row in outcome.history]


def test_parallel_trials_end_as_consecutive_ones(runner_on: Callable[[int], Any]) -> None:
    with runner_on(1) as one:
        in_a_row = trained(one, ROUND)
    with runner_on(2) as two:
        beside = trained(two, ROUND)
    for mine, other in zip(beside, in_a_row, strict=True):
        assert (without_seconds(mine), mine.best_epoch) == (without_seconds(other), other.best_epoch)
        assert all(np.array_equal(a, b) for a, b in zip(mine.weights, other.weights, strict=True))


def test_a_trial_trained_ahead_still_reports_each_epoch(runner_on: Callable[[int], Any]) -> None:
    with runner_on(2) as runner:
        runner.train(ROUND[0], ignored, ahead=ROUND[1])
        runner._running[ROUND[1]].outcome()  # it ends before it is asked for
        told: list[Epoch] = []
        outcome = runner.train(ROUND[1], told.append)
    assert tuple(told) == outcome.history
    assert [row.epoch for row in told] == [1, 2, 3, 4]


def test_nothing_is_trained_ahead_without_a_free_core_or_memory(
    runner_on: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with runner_on(1) as runner:
        runner.train(ROUND[0], ignored, ahead=ROUND[1])
        assert not runner._running
    monkeypatch.setattr(loop_cache, "MAX_LOOP_BYTES", 100)
    with runner_on(2) as runner:
        runner.train(ROUND[0], ignored, ahead=ROUND[1])
        assert not runner._running
        assert len(runner._loops.free) == 1


def test_two_loops_with_one_key_exist_only_while_both_are_in_use(runner_on: Callable[[int], Any]) -> None:
    with runner_on(2) as runner:
        trained(runner, ROUND)
        assert len(runner._loops.free) == 2  # with dropout and without
        assert not runner._loops.used
        assert not runner._running


def test_a_trial_trained_ahead_ends_with_the_runner(runner_on: Callable[[int], Any]) -> None:
    endless = replace(RECIPE, epochs=FOREVER, patience=FOREVER)
    with runner_on(2) as runner:
        runner.train(ROUND[0], ignored, ahead=endless)
        trial = runner._running[endless]
        next(trial.epochs())
        started = time.perf_counter()
    assert time.perf_counter() - started < 5
    with pytest.raises(Exception, match=r"^$"):
        trial.outcome()


def test_an_interrupt_waits_for_no_trial(runner_on: Callable[[int], Any]) -> None:
    def stopped(row: Epoch) -> None:
        if row.epoch == 2:
            raise KeyboardInterrupt

    endless = replace(RECIPE, epochs=FOREVER, patience=FOREVER)
    with pytest.raises(KeyboardInterrupt), runner_on(2) as runner:
        runner.train(endless, stopped, ahead=replace(endless, learning_rate=0.1))


def test_an_error_of_a_trial_trained_ahead_is_raised_when_its_turn_comes(
    runner_on: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Loop.score

    def failing(self: Loop, examples: Examples) -> Score:
        if self.recipe == ROUND[1] and len(examples) > 1:  # not the compiler's, which may be on its way
            raise MemoryError
        return real(self, examples)

    monkeypatch.setattr(Loop, "score", failing)
    with runner_on(2) as runner:
        assert len(runner.train(ROUND[0], ignored, ahead=ROUND[1]).history) == 4
        with pytest.raises(MemoryError):
            runner.train(ROUND[1], ignored)
