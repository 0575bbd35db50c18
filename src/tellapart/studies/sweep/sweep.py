"""Sweep: one factor of a recipe after the other, or a grid; each trial as `train` would end it, the winner bundled.

A sweep is a folder. Whatever ends it, the same call goes on with it: each trial is kept before the next begins, and
what was finished decides what comes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.backend import load_keras
from tellapart.bundles.bundle import Bundle
from tellapart.data.dataset import Dataset
from tellapart.errors import TellapartError
from tellapart.jobs import Jobs
from tellapart.models.resolved_recipe import NetworkRecipe
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.studies.sweep.folder import (
    TRIALS,
    WINNER,
    Weights,
    claim_folder,
    read_trial,
    read_weights,
    release_folder,
    remove_other_weights,
    write_table,
    write_trial,
    write_weights,
)
from tellapart.studies.sweep.jobs import TrialWorkers
from tellapart.studies.sweep.plan import Candidate, SweepPlan, Trial, best_trial, plan_sweep
from tellapart.studies.sweep.table import LiveTable, live_table
from tellapart.studies.workers import with_fixed_precision
from tellapart.training.prepare import list_skipped, write_metrics
from tellapart.training.run import Run

if TYPE_CHECKING:
    from tellapart.studies.sweep.background_trial import Outcome
    from tellapart.studies.sweep.trial_runner import TrialRunner


@dataclass(frozen=True)
class Round:
    """A choice that was made: what varied, and the trials compared, by their order; some may be of an earlier turn."""

    factor: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Sweep:
    """A finished sweep's folder, its turns, the fields that varied, and the trial that won."""

    folder: Path
    turns: tuple[Round, ...]
    columns: tuple[str, ...]
    winner: Trial

    @property
    def recipe(self) -> NetworkRecipe:
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


def sweep(
    dataset: Dataset,
    recipe: Recipe,
    vary: Sequence[str],
    *,
    out: str | Path,
    grid: bool = False,
    jobs: Jobs | None = None,
) -> Sweep:
    """Try values of a recipe's fields, and judge and bundle the best trial.

    `vary` has an entry for each field, as `parse_vary` reads them: one after the other, the others staying at the
    best so far, or with `grid` all combinations. `monitor` chooses each trial's best epoch and the best trial. `out`
    is a new folder, or that of the same sweep, which is gone on with. With `jobs` others train the trials of a turn at
    once, and the sweep ends the same. Raises a TellapartError with a sentence.
    """
    folder = Path(out)
    plan = plan_sweep(dataset, recipe, vary, grid=grid)
    with claim_folder(folder, plan):
        return _swept(plan, folder, jobs)


def _swept(plan: SweepPlan, folder: Path, jobs: Jobs | None) -> Sweep:
    load_keras()
    from tellapart.studies.sweep.trial_runner import TrialRunner  # TensorFlow: only when all checks have passed

    bench = TrialRunner(plan.dataset)
    try:
        turns = _run(plan, folder, bench, jobs)
        winner = best_trial(chain.from_iterable(turn.trials for turn in turns))
        winner.recipe.write(folder / WINNER)
        _bundle(winner, folder, bench)
    except TellapartError:
        release_folder(folder)
        raise
    finally:
        bench.close()
    return Sweep(folder, turns, plan.columns, winner)


def _run(plan: SweepPlan, folder: Path, bench: "TrialRunner", jobs: Jobs | None) -> tuple[Round, ...]:
    if jobs is None and not (folder / TRIALS).exists():
        bench.task(plan.candidates(0, {})[0].recipe)  # its progress is shown before the table is
    with ExitStack() as stack, live_table(plan) as shown:
        benches = None if jobs is None else TrialWorkers(jobs, plan.dataset, stack)
        return _Race(plan, folder, bench, benches, shown).run()


@dataclass
class _Race:
    """The trials on their way. Lives while they are trained."""

    plan: SweepPlan
    folder: Path
    bench: "TrialRunner"
    benches: TrialWorkers | None
    """Those of others, who then train in its place."""
    table: LiveTable

    def __post_init__(self) -> None:
        self.trials: dict[NetworkRecipe, Trial] = {}

    def run(self) -> tuple[Round, ...]:
        """Turn after turn."""
        turns = []
        for number in range(self.plan.turns):
            candidates = self.plan.candidates(number, self._best_values)
            self._try(candidates, number)
            compared = tuple(self.trials[candidate.recipe] for candidate in candidates)
            turns.append(Round(candidates[0].factor, compared))
        self._write_table()
        return tuple(turns)

    def _try(self, candidates: list[Candidate], turn: int) -> None:
        """Know the trial of each candidate: of this sweep, of the earlier call's, or trained now."""
        new = {one.recipe: one for one in candidates if one.recipe not in self.trials}
        numbered = dict(enumerate(new.values(), start=len(self.trials) + 1))
        kept = [read_trial(self.folder, number, one) for number, one in numbered.items()]
        for trial in filter(None, kept):
            self._end(trial, turn, candidates)
        todo = {number: one for number, one in numbered.items() if one.recipe not in self.trials}
        for number, outcome in self._trained(todo, turn, candidates):
            one = numbered[number]
            trial = Trial(number, one.factor, one.values, one.recipe, outcome.history, outcome.best_epoch)
            self._keep(trial, outcome.weights)
            self._end(trial, turn, candidates)

    def _end(self, trial: Trial, turn: int, candidates: list[Candidate]) -> None:
        self.trials[trial.recipe] = trial
        self.table.end(trial, self._epochs_left(turn, candidates))

    def _keep(self, trial: Trial, weights: Weights) -> None:
        best = best_trial([*self.trials.values(), trial]).number
        if best == trial.number:
            write_weights(self.folder, trial.number, weights)
        write_trial(self.folder, trial)
        remove_other_weights(self.folder, best)
        self._write_table(trial)

    def _write_table(self, *more: Trial) -> None:
        trials = sorted([*self.trials.values(), *more], key=lambda trial: trial.number)
        write_table(self.folder, self.plan, trials)

    def _trained(
        self, todo: Mapping[int, Candidate], turn: int, candidates: list[Candidate]
    ) -> "Iterator[tuple[int, Outcome]]":
        """Each trial that is to be trained, when it has ended: by others in any order, or here in theirs."""
        if self.benches is None:
            return ((number, self._trained_here(number, todo, turn, candidates)) for number in todo)
        if not todo:
            return iter(())
        with self.table.aside():
            work = self.benches.ready(candidates[0].recipe)
        return work((number, with_fixed_precision(one.recipe)) for number, one in todo.items())

    def _trained_here(
        self, number: int, todo: Mapping[int, Candidate], turn: int, candidates: list[Candidate]
    ) -> "Outcome":
        candidate, later = todo[number], [one for other, one in todo.items() if other > number]
        if not self.bench.stands(candidate.recipe):
            with self.table.aside():
                self.bench.task(candidate.recipe)
        self.table.begin(number, candidate, self._epochs_left(turn, candidates))
        ahead = later[0].recipe if later else None  # certain, and next
        following = self._following(turn, later)
        return self.bench.train(candidate.recipe, self.table.epoch, following=following, ahead=ahead)

    def _following(self, turn: int, later: list[Candidate]) -> list[NetworkRecipe]:
        """What will be trained next, as far as is known."""
        if turn + 1 < self.plan.turns:
            later = [*later, *self.plan.candidates(turn + 1, self._best_values)]
        return [one.recipe for one in later if one.recipe not in self.trials]

    def _epochs_left(self, turn: int, now: list[Candidate]) -> int:
        values = self._best_values
        later = sum(self.plan.epochs(number, values) for number in range(turn + 1, self.plan.turns))
        return later + sum(one.recipe.epochs for one in now if one.recipe not in self.trials)

    @property
    def _best_values(self) -> dict[str, Any]:
        return dict(best_trial(self.trials.values()).values) if self.trials else {}


def _bundle(winner: Trial, folder: Path, bench: "TrialRunner") -> None:
    """The winner as `train` would leave it. Here the test split is opened."""
    from tellapart.training.write_bundle import write_bundle

    if not (folder / "bundle").exists():
        notify(f"trial {winner.number} is best, after epoch {winner.best_epoch} of {len(winner.history)}")
        network = bench.network(winner.recipe, read_weights(folder, winner.number))
        task = replace(bench.task(winner.recipe), network=network)
        list_skipped(task.dataset.skipped, folder)
        write_bundle(task, winner.recipe, folder / "bundle")
    write_metrics(folder)
