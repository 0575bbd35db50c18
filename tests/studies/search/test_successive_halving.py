"""Successive halving, with trials whose losses are made up."""

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.recipe import Monitor, Recipe
from tellapart.studies.search import successive_halving
from tellapart.studies.search.hyperband import brackets
from tellapart.studies.search.journal import Journal
from tellapart.studies.search.plan import SearchPlan, Trial
from tellapart.studies.search.search_workers import Step
from tellapart.studies.search.space import parse_space
from tellapart.training.fitting.checkpoints import Epoch, History

from ..fake_jobs import StoppedError

Losses = Callable[[int, int], float]
"""From a trial's number and an epoch to its loss."""


class MadeUp:
    """Trains nothing, and records the steps. Lives for one search."""

    def __init__(self, losses: Losses, folder: Path) -> None:
        self.losses, self.folder = losses, folder
        self.asked: list[tuple[int, int]] = []
        self.begun = 0

    def start(self) -> None:
        """Nothing has to be loaded."""
        self.begun += 1

    def train(self, steps: Sequence[Step], each_epoch: Callable[[], None]) -> Iterator[tuple[Step, History]]:
        """Give each step the losses made up for it, in another order than asked."""
        for step in reversed(steps):
            self.asked.append((step.number, step.epochs))
            each_epoch()
            (self.folder / "trials" / f"{step.number:04d}").mkdir(parents=True, exist_ok=True)
            yield step, tuple(self._epoch(step.number, epoch) for epoch in range(1, step.epochs + 1))

    def _epoch(self, number: int, epoch: int) -> Epoch:
        loss = self.losses(number, epoch)
        return Epoch(epoch, 1.0, 0.5, loss, 1 - loss, 0.01, 0.1)


@pytest.fixture
def plan(tiny: Path) -> SearchPlan:
    """Nine trials of at least one epoch, five of three, three of nine."""
    dataset = draw_splits(Dataset.open(tiny), validation=0.3, test=0.2, seed=0)
    recipe = Recipe(model="mlp", size=20)
    return SearchPlan(dataset, recipe, parse_space(["units=4:400"], recipe), brackets(9, 3))


@pytest.fixture
def run_search(
    plan: SearchPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[tuple[Trial, ...], MadeUp]]:
    """Run a search to its end; return the trials, and the workers with the steps they were given."""

    def run(losses: Losses, monitor: Monitor = "val_loss") -> tuple[tuple[Trial, ...], MadeUp]:
        made_up = MadeUp(losses, tmp_path)

        monkeypatch.setattr(successive_halving, "TrialWorkers", lambda *_: made_up)
        chosen = SearchPlan(plan.dataset, Recipe(model="mlp", size=20, monitor=monitor), plan.space, plan.brackets)
        trials = chosen.trials()
        journal = Journal(tmp_path / "journal.log", monitor)
        journal.enrol([(trial.bracket, trial.values) for trial in trials], plan.space)
        known = [
            Trial(one.number, one.bracket, one.values, one.recipe, history)
            for one, history in zip(trials, journal.histories(), strict=True)
        ]
        return successive_halving.run(chosen, known, journal, tmp_path), made_up

    return run


def by_number(number: int, epoch: int) -> float:
    """The higher the number the better, and better from epoch to epoch."""
    return 0.9 - number / 50 - epoch / 100


def test_the_best_third_of_a_rung_is_promoted(run_search: Callable[..., tuple[tuple[Trial, ...], MadeUp]]) -> None:
    trials, made_up = run_search(by_number)
    asked = [
        *[{(number, 1) for number in range(9)}, {(6, 3), (7, 3), (8, 3)}, {(8, 9)}],
        *[{(number, 3) for number in range(9, 14)}, {(13, 9)}],
        {(14, 9), (15, 9), (16, 9)},
    ]
    seen = iter(made_up.asked)
    assert [{next(seen) for _ in rung} for rung in asked] == asked
    assert not list(seen)
    assert [trial.number for trial in trials[:2]] == [16, 15]
    assert (trials[0].best.epoch, trials[0].bracket) == (9, 0)


def test_accuracy_may_decide(run_search: Callable[..., tuple[tuple[Trial, ...], MadeUp]]) -> None:
    trials, _ = run_search(lambda number, epoch: 1 - by_number(number, epoch), "val_accuracy")
    assert trials[0].number == 0
    assert len(trials[0].history) == 9


def test_an_eliminated_winner_is_trained_to_the_last_epoch(
    run_search: Callable[..., tuple[tuple[Trial, ...], MadeUp]], tmp_path: Path
) -> None:
    """Trial 11 was the best after its second epoch, but the worst at the end of its rung."""

    def losses(number: int, epoch: int) -> float:
        return {(11, 2): 0.01, (11, 7): 0.005}.get((number, epoch), 0.5 + (number == 11))

    trials, made_up = run_search(losses)
    assert made_up.asked[-1] == (11, 9)
    assert (trials[0].number, trials[0].best.epoch, len(trials[0].history)) == (11, 7, 9)
    assert [path.name for path in (tmp_path / "trials").iterdir()] == ["0011"]
    again, idle = run_search(losses)
    assert again == trials
    assert idle.asked == []


def test_workers_start_when_something_is_left_even_if_only_for_the_winner(
    run_search: Callable[..., tuple[tuple[Trial, ...], MadeUp]],
) -> None:
    def losses(number: int, epoch: int) -> float:
        return 0.01 if (number, epoch) == (11, 2) else 0.5 + (number == 11)

    def stopped(number: int, epoch: int) -> float:
        if (number, epoch) == (11, 4):  # after all brackets
            raise StoppedError
        return losses(number, epoch)

    with pytest.raises(StoppedError):
        run_search(stopped)
    _, made_up = run_search(losses)
    assert (made_up.begun, made_up.asked) == (1, [(11, 9)])
    _, made_up = run_search(losses)
    assert (made_up.begun, made_up.asked) == (0, [])


def test_diverged_trials_lose(run_search: Callable[..., tuple[tuple[Trial, ...], MadeUp]]) -> None:
    trials, _ = run_search(lambda number, epoch: 0.3 + 0 * epoch if number == 4 else math.nan)
    assert trials[0].number == 4
    assert len(trials[0].history) == 9


def test_every_epoch_of_every_trial_is_in_the_table(
    run_search: Callable[..., tuple[tuple[Trial, ...], MadeUp]], tmp_path: Path
) -> None:
    trials, _ = run_search(by_number)
    with (tmp_path / "trials.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = {
        (str(trial.number), str(row.epoch), str(trial.values["units"]), str(row.val_loss))
        for trial in trials
        for row in trial.history
    }
    assert {(row["trial"], row["epoch"], row["units"], row["val_loss"]) for row in rows} == expected
    assert len(rows) == sum(len(trial.history) for trial in trials)
