"""Sweep: one field of a recipe after the other, or a grid; each trial as `train` would end it, the best one bundled.

A sweep is a folder. After an interruption the same call resumes it: each trial is stored before the next begins, and
the finished ones decide what is tried next.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
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
from tellapart.studies.sweep.plan import Candidate, SweepPlan, Trial, best_trial, plan_sweep
from tellapart.studies.sweep.sweep_folder import (
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
from tellapart.studies.sweep.sweep_workers import TrialWorkers
from tellapart.studies.sweep.table import LiveTable, live_table
from tellapart.studies.workers import with_fixed_precision
from tellapart.training.run import Run
from tellapart.training.run_files import write_metrics, write_skipped
from tellapart.training.training_warnings import Training, TrainingWarning, run_warnings, trial_warnings

if TYPE_CHECKING:
    from tellapart.studies.sweep.background_trial import Outcome
    from tellapart.studies.sweep.trial_runner import TrialRunner


@dataclass(frozen=True)
class Round:
    """One choice: the factor that varied, and the trials compared, in order; some may be of an earlier round."""

    factor: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Sweep:
    """A finished sweep: its folder, its rounds, the fields that varied, and the trial that won."""

    folder: Path
    rounds: tuple[Round, ...]
    columns: tuple[str, ...]
    winner: Trial
    warnings: Mapping[int, tuple[TrainingWarning, ...]] = field(default_factory=dict)
    """Reasons to distrust trials, by their numbers; trials without are left out."""

    @property
    def recipe(self) -> Recipe:
        """The recipe of the winner."""
        return Recipe(**vars(self.winner.recipe))

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Each trial once, by number."""
        return tuple({trial.number: trial for this in self.rounds for trial in this.trials}.values())

    @property
    def bundle(self) -> Bundle:
        """The bundle of the winner."""
        return Run(self.folder).bundle

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the winner: for each judged split its size, and each metric with its interval."""
        return Run(self.folder).metrics


def sweep(
    dataset: Dataset | str | Path,
    recipe: Recipe,
    vary: Sequence[str],
    *,
    out: str | Path,
    grid: bool = False,
    jobs: Jobs | None = None,
) -> Sweep:
    """Try values of a recipe's fields, and judge and bundle the best trial.

    `vary` has an entry for each field, as `parse_vary` reads them. They vary one after the other, the others staying
    at the best values so far, or with `grid` in all combinations. `monitor` chooses the best epoch of each trial and
    the best trial. `out` is a new folder, or that of the same sweep, which then resumes. With `jobs` its workers
    train the trials of a round at the same time; the result is the same. Raises a TellapartError.
    """
    folder = Path(out)
    plan = plan_sweep(Dataset.of(dataset), recipe, vary, grid=grid)
    with claim_folder(folder, plan):
        return _sweep(plan, folder, jobs)


def _sweep(plan: SweepPlan, folder: Path, jobs: Jobs | None) -> Sweep:
    load_keras()
    from tellapart.studies.sweep.trial_runner import TrialRunner  # TensorFlow: only when all checks have passed

    runner = TrialRunner(plan.dataset)
    try:
        rounds = _run(plan, folder, runner, jobs)
        winner = best_trial(chain.from_iterable(this.trials for this in rounds))
        winner.recipe.write(folder / WINNER)
        _bundle(winner, folder, runner)
    except TellapartError:
        release_folder(folder)
        raise
    finally:
        runner.close()
    return Sweep(folder, rounds, plan.columns, winner, _warnings(plan, rounds, winner, Run(folder)))


def _warnings(
    plan: SweepPlan, rounds: tuple[Round, ...], winner: Trial, run: Run
) -> Mapping[int, tuple[TrainingWarning, ...]]:
    """Warn about trials by their epochs, and about the winner by its predictions."""
    dataset, labels = plan.dataset, plan.dataset.splits["validation"].labels
    trials = {trial.number: trial for this in rounds for trial in this.trials}
    warnings = {
        number: trial_warnings(
            trial.history, trial.best, labels, dataset.classes, Training(trial.recipe, dataset.source)
        )
        for number, trial in sorted(trials.items())
    }
    warnings[winner.number] = run_warnings(run, winner.recipe, [winner.history])
    return {number: reasons for number, reasons in warnings.items() if reasons}


def _run(plan: SweepPlan, folder: Path, runner: "TrialRunner", jobs: Jobs | None) -> tuple[Round, ...]:
    if jobs is None and not (folder / TRIALS).exists():
        runner.task(plan.candidates(0, {})[0].recipe)  # shows its progress before the table is shown
    with ExitStack() as stack, live_table(plan) as table:
        workers = None if jobs is None else TrialWorkers(jobs, plan.dataset, stack)
        return _Rounds(plan, folder, runner, workers, table).run()


@dataclass
class _Rounds:
    """The trials while they are trained."""

    plan: SweepPlan
    folder: Path
    runner: "TrialRunner"
    workers: TrialWorkers | None
    """If there are any, they train in place of the runner."""
    table: LiveTable

    def __post_init__(self) -> None:
        self.trials: dict[NetworkRecipe, Trial] = {}

    def run(self) -> tuple[Round, ...]:
        """Run one round after the other."""
        rounds = []
        for number in range(self.plan.rounds):
            candidates = self.plan.candidates(number, self._best_values)
            self._try(candidates, number)
            compared = tuple(self.trials[candidate.recipe] for candidate in candidates)
            rounds.append(Round(candidates[0].factor, compared))
        self._write_table()
        return tuple(rounds)

    def _try(self, candidates: list[Candidate], round_number: int) -> None:
        """Get the trial of each candidate: from an earlier round, from the folder, or by training it."""
        new = {candidate.recipe: candidate for candidate in candidates if candidate.recipe not in self.trials}
        numbered = dict(enumerate(new.values(), start=len(self.trials) + 1))
        stored = [read_trial(self.folder, number, candidate) for number, candidate in numbered.items()]
        for trial in filter(None, stored):
            self._end(trial, round_number, candidates)
        todo = {number: candidate for number, candidate in numbered.items() if candidate.recipe not in self.trials}
        for number, outcome in self._train(todo, round_number, candidates):
            trained = numbered[number]
            trial = Trial(number, trained.factor, trained.values, trained.recipe, outcome.history, outcome.best_epoch)
            self._store(trial, outcome.weights)
            self._end(trial, round_number, candidates)

    def _end(self, trial: Trial, round_number: int, candidates: list[Candidate]) -> None:
        self.trials[trial.recipe] = trial
        self.table.end_trial(trial, self._epochs_left(round_number, candidates))

    def _store(self, trial: Trial, weights: Weights) -> None:
        best = best_trial([*self.trials.values(), trial]).number
        if best == trial.number:
            write_weights(self.folder, trial.number, weights)
        write_trial(self.folder, trial)
        remove_other_weights(self.folder, best)
        self._write_table(trial)

    def _write_table(self, *more: Trial) -> None:
        trials = sorted([*self.trials.values(), *more], key=lambda trial: trial.number)
        write_table(self.folder, self.plan, trials)

    def _train(
        self, todo: Mapping[int, Candidate], round_number: int, candidates: list[Candidate]
    ) -> "Iterator[tuple[int, Outcome]]":
        """Yield the number and the outcome of each trial to train: in order here, in any order by workers."""
        if self.workers is None:
            return ((number, self._train_here(number, todo, round_number, candidates)) for number in todo)
        if not todo:
            return iter(())
        with self.table.paused():
            work = self.workers.start(candidates[0].recipe)
        return work((number, with_fixed_precision(candidate.recipe)) for number, candidate in todo.items())

    def _train_here(
        self, number: int, todo: Mapping[int, Candidate], round_number: int, candidates: list[Candidate]
    ) -> "Outcome":
        candidate, later = todo[number], [other for other_number, other in todo.items() if other_number > number]
        if not self.runner.is_prepared(candidate.recipe):
            with self.table.paused():
                self.runner.task(candidate.recipe)
        self.table.begin_trial(number, candidate, self._epochs_left(round_number, candidates))
        ahead = later[0].recipe if later else None  # certain, and next
        following = self._following(round_number, later)
        return self.runner.train(candidate.recipe, self.table.add_epoch, following=following, ahead=ahead)

    def _following(self, round_number: int, later: list[Candidate]) -> list[NetworkRecipe]:
        """Return the recipes that are trained next, as far as they are known."""
        if round_number + 1 < self.plan.rounds:
            later = [*later, *self.plan.candidates(round_number + 1, self._best_values)]
        return [candidate.recipe for candidate in later if candidate.recipe not in self.trials]

    def _epochs_left(self, round_number: int, candidates: list[Candidate]) -> int:
        values = self._best_values
        later = sum(self.plan.epochs(number, values) for number in range(round_number + 1, self.plan.rounds))
        return later + sum(candidate.recipe.epochs for candidate in candidates if candidate.recipe not in self.trials)

    @property
    def _best_values(self) -> dict[str, Any]:
        return dict(best_trial(self.trials.values()).values) if self.trials else {}


def _bundle(winner: Trial, folder: Path, runner: "TrialRunner") -> None:
    """Bundle and judge the winner as `train` would: only now are the test images read."""
    from tellapart.training.write_bundle import write_bundle

    if not (folder / "bundle").exists():
        notify(f"trial {winner.number} is best, after epoch {winner.best_epoch} of {len(winner.history)}")
        network = runner.network(winner.recipe, read_weights(folder, winner.number))
        task = replace(runner.task(winner.recipe), network=network)
        write_skipped(task.dataset.skipped, folder)
        write_bundle(task, winner.recipe, folder / "bundle")
    write_metrics(folder)
