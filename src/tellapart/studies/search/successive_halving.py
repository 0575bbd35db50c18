"""Successive halving: on each rung of a bracket all trials get the same epochs, and the best of them are promoted.

Sources: Jamieson & Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization (AISTATS 2016);
run once for each bracket of Hyperband (Li et al., JMLR 18, 2018), whose rungs `hyperband` computes.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.files import atomic_write, csv_text, remove_folder
from tellapart.jobs import Jobs
from tellapart.progress import Advance, progress
from tellapart.studies.search.hyperband import Bracket, Rung, best_first, trial_epochs
from tellapart.studies.search.plan import SearchPlan, Trial, cost, rank
from tellapart.studies.search.search_workers import Step, TrialWorkers
from tellapart.training.fitting.checkpoints import Epoch, History

if TYPE_CHECKING:
    from tellapart.studies.search.journal import Journal

TRIALS, TABLE = "trials", "trials.csv"
COLUMNS = [field.name for field in fields(Epoch) if field.name != "learning_rate"]  # a space may have that name


def run(
    plan: SearchPlan, trials: list[Trial], journal: "Journal", folder: Path, jobs: Jobs | None = None
) -> tuple[Trial, ...]:
    """Run what is left of all brackets, then train the winner to the last epoch. Returns all trials, the winner first.

    Trials are trained in this process, or by the workers of `jobs`.
    """
    left = trial_epochs(plan.brackets) - sum(len(trial.history) for trial in trials)
    splits = {name: plan.dataset.splits[name] for name in ("train", "validation")}
    without_test = replace(plan.dataset, splits=splits)
    with ExitStack() as stack:
        workers = TrialWorkers(without_test, trials[0].recipe, folder / TRIALS, jobs, stack)
        if left > 0 or len(rank(trials)[0].history) < plan.max_epochs:
            workers.start()  # before the clock of the progress bar
        with progress("searching", max(left, 0), "epochs") as advance:
            return SuccessiveHalving(plan, trials, journal, folder, workers, advance).run()


@dataclass
class SuccessiveHalving:
    """The trials while they are trained."""

    plan: SearchPlan
    trials: list[Trial]
    journal: "Journal"
    folder: Path
    workers: TrialWorkers
    advance: Advance

    def run(self) -> tuple[Trial, ...]:
        """Run every bracket, then train the winner to the last epoch."""
        for first, bracket in _with_first_trials(self.plan.brackets):
            remaining = list(range(first, first + bracket[0].trials))
            for rung, next_rung in zip(bracket, (*bracket[1:], Rung(0, 0)), strict=True):
                self._train(remaining, rung.epochs)
                remaining = self._promote(remaining, rung, next_rung.trials)
                self._remove_checkpoints()
        self._train([self._best.number], self.plan.max_epochs)
        self._remove_checkpoints()
        self._write_table()  # a kill may have come just before the last row was written
        return rank(self.trials)

    def _train(self, numbers: Iterable[int], epochs: int) -> None:
        """Train trials until each has had `epochs` epochs in all."""
        steps = [
            Step(number, self.trials[number].recipe, epochs)
            for number in numbers
            if len(self._history(number)) < epochs
        ]
        steps.sort(key=lambda step: repr(step.recipe))  # neighbours then share their compiled loops
        for step, history in self.workers.train(steps, lambda: self.advance(1)):
            self.journal.trained(step.number, history)
            self.trials[step.number] = replace(self.trials[step.number], history=history)
            self.advance(0, note=self._note())
            self._write_table()

    def _promote(self, numbers: list[int], rung: Rung, count: int) -> list[int]:
        """Return the `count` best trials of a rung; the others are finished."""
        monitor = self.plan.recipe.monitor
        best = best_first({number: cost(self._history(number)[rung.epochs - 1], monitor) for number in numbers})
        for number in best[count:]:
            value = getattr(self.trials[number].best, monitor)
            self.journal.finish(number, value, eliminated=rung.epochs < self.plan.max_epochs)
        return best[:count]

    def _remove_checkpoints(self) -> None:
        """Remove the checkpoints of finished trials, but for the best so far, which may be trained further."""
        for number in self.journal.finished - {self._best.number}:
            if (self.folder / TRIALS / f"{number:04d}").exists():
                remove_folder(self.folder / TRIALS / f"{number:04d}")

    def _write_table(self) -> None:
        rows = [
            (trial.number, trial.bracket, *trial.values.values(), *(getattr(row, name) for name in COLUMNS))
            for trial in self.trials
            for row in trial.history
        ]
        atomic_write(self.folder / TABLE, csv_text(("trial", "bracket", *self.plan.space, *COLUMNS), rows))

    def _note(self) -> str:
        monitor = self.plan.recipe.monitor
        best = f"best {monitor} {getattr(self._best.best, monitor):.4f} of trial {self._best.number}"
        return f"{len(self.journal.finished)} of {len(self.trials)} trials finished, {best}"

    def _history(self, number: int) -> History:
        return self.trials[number].history

    @property
    def _best(self) -> Trial:
        return rank(trial for trial in self.trials if trial.history)[0]


def _with_first_trials(brackets: Iterable[Bracket]) -> Iterator[tuple[int, Bracket]]:
    """Yield each bracket with the number of its first trial."""
    first = 0
    for bracket in brackets:
        yield first, bracket
        first += bracket[0].trials
