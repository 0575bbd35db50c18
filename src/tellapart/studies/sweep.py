"""Sweep: one factor of a recipe after the other, or a grid; each trial as `train` would end it, the winner bundled.

A sweep is a folder. Whatever ends it, the same call goes on with it: each trial is kept before the next begins, and
what was finished decides what comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.backend import load_keras
from tellapart.bundles.bundle import Bundle
from tellapart.data.dataset import Dataset
from tellapart.errors import TellapartError
from tellapart.progress import say
from tellapart.recipe import Recipe
from tellapart.studies.sweep_folder import (
    TRIALS,
    WINNER,
    claim,
    drop_weights,
    keep_trial,
    keep_weights,
    kept_trial,
    kept_weights,
    release,
    write_table,
)
from tellapart.studies.sweep_plan import Candidate, Plan, Trial, best_of, planned
from tellapart.studies.sweep_table import Board, board
from tellapart.training.common import list_skipped, write_metrics
from tellapart.training.run import Run

if TYPE_CHECKING:
    from tellapart.studies.sweep_trials import Bench


@dataclass(frozen=True)
class Turn:
    """A choice that was made: what varied, and the trials compared, by their order; some may be of an earlier turn."""

    factor: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Sweep:
    """A finished sweep's folder, its turns, the fields that varied, and the trial that won."""

    folder: Path
    turns: tuple[Turn, ...]
    columns: tuple[str, ...]
    winner: Trial

    @property
    def recipe(self) -> Recipe:
        """The winner's."""
        return self.winner.recipe

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Each trial once, by number."""
        return tuple({trial.number: trial for turn in self.turns for trial in turn.trials}.values())

    @property
    def bundle(self) -> Bundle:
        """The winner's classifier."""
        return Run(self.folder).bundle

    @property
    def metrics(self) -> dict[str, Any]:
        """Of the winner, for each split judged: its size, and each metric with its interval."""
        return Run(self.folder).metrics


def sweep(dataset: Dataset, recipe: Recipe, vary: Sequence[str], *, out: str | Path, grid: bool = False) -> Sweep:
    """Try values of a recipe's fields, and judge and bundle the best trial.

    `vary` has an entry for each field, as `parse_vary` reads them: one after the other, the others staying at the
    best so far, or with `grid` all combinations. `monitor` chooses each trial's best epoch and the best trial. `out`
    is a new folder, or that of the same sweep, which is gone on with. Raises a TellapartError with a sentence.
    """
    folder = Path(out)
    plan = planned(dataset, recipe, vary, grid=grid)
    claim(folder, plan)
    load_keras()
    from tellapart.studies.sweep_trials import Bench  # TensorFlow: only when all checks have passed

    bench = Bench(plan.dataset)
    try:
        turns = _run(plan, folder, bench)
        winner = best_of(chain.from_iterable(turn.trials for turn in turns))
        winner.recipe.write(folder / WINNER)
        _bundle(winner, folder, bench)
    except TellapartError:
        release(folder)
        raise
    finally:
        bench.close()
    return Sweep(folder, turns, plan.columns, winner)


def _run(plan: Plan, folder: Path, bench: "Bench") -> tuple[Turn, ...]:
    if not (folder / TRIALS).exists():
        bench.task(plan.candidates(0, {})[0].recipe)  # its progress is shown before the table is
    with board(plan) as shown:
        return _Race(plan, folder, bench, shown).run()


@dataclass
class _Race:
    """The trials on their way. Lives while they are trained."""

    plan: Plan
    folder: Path
    bench: "Bench"
    board: Board

    def __post_init__(self) -> None:
        self.trials: dict[Recipe, Trial] = {}

    def run(self) -> tuple[Turn, ...]:
        """Turn after turn."""
        turns = []
        for number in range(self.plan.turns):
            candidates = self.plan.candidates(number, self._best_values)
            compared = [self._trial(candidate, number, candidates[i + 1 :]) for i, candidate in enumerate(candidates)]
            turns.append(Turn(candidates[0].factor, tuple(compared)))
        write_table(self.folder, self.plan, list(self.trials.values()))
        return tuple(turns)

    def _trial(self, candidate: Candidate, turn: int, later: list[Candidate]) -> Trial:
        """The trial of a recipe: of this sweep, of the earlier call's, or trained now."""
        if candidate.recipe in self.trials:
            return self.trials[candidate.recipe]
        number = len(self.trials) + 1
        trial = kept_trial(self.folder, number, candidate) or self._trained(candidate, number, turn, later)
        self.trials[candidate.recipe] = trial
        self.board.end(trial, self._epochs_left(turn, later))
        return trial

    def _trained(self, candidate: Candidate, number: int, turn: int, later: list[Candidate]) -> Trial:
        if not self.bench.stands(candidate.recipe):
            with self.board.aside():
                self.bench.task(candidate.recipe)
        self.board.begin(number, candidate, self._epochs_left(turn, [candidate, *later]))
        following, ahead = self._following(turn, later), self._ahead(candidate, number, later)
        outcome = self.bench.train(candidate.recipe, self.board.epoch, following=following, ahead=ahead)
        trial = Trial(number, candidate.factor, candidate.values, candidate.recipe, outcome.history, outcome.best_epoch)
        best = best_of([*self.trials.values(), trial]).number
        if best == number:
            keep_weights(self.folder, number, outcome.weights)
        keep_trial(self.folder, trial)
        drop_weights(self.folder, but=best)
        write_table(self.folder, self.plan, [*self.trials.values(), trial])
        return trial

    def _following(self, turn: int, later: list[Candidate]) -> list[Recipe]:
        """What will be trained next, as far as is known."""
        if turn + 1 < self.plan.turns:
            later = [*later, *self.plan.candidates(turn + 1, self._best_values)]
        return [one.recipe for one in later if one.recipe not in self.trials]

    def _ahead(self, candidate: Candidate, number: int, later: list[Candidate]) -> Recipe | None:
        """The trial after this one, if it is certain: of the same turn, and not known from an earlier call."""
        untried = (one for one in later if one.recipe not in self.trials and one.recipe != candidate.recipe)
        after = next(untried, None)
        if after is None or kept_trial(self.folder, number + 1, after):
            return None
        return after.recipe

    def _epochs_left(self, turn: int, now: list[Candidate]) -> int:
        values = self._best_values
        later = sum(self.plan.epochs(number, values) for number in range(turn + 1, self.plan.turns))
        return later + sum(int(one.recipe.epochs or 1) for one in now if one.recipe not in self.trials)

    @property
    def _best_values(self) -> dict[str, Any]:
        return dict(best_of(self.trials.values()).values) if self.trials else {}


def _bundle(winner: Trial, folder: Path, bench: "Bench") -> None:
    """The winner as `train` would leave it. Here the test split is opened."""
    from tellapart.training.bundling import write_bundle

    if not (folder / "bundle").exists():
        say(f"trial {winner.number} is best, after epoch {winner.best_epoch} of {len(winner.history)}")
        network = bench.network(winner.recipe, kept_weights(folder, winner.number))
        task = replace(bench.task(winner.recipe), network=network)
        list_skipped(task.dataset.skipped, folder)
        write_bundle(task, winner.recipe, folder / "bundle")
    write_metrics(folder)
