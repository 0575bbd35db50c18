"""The race of a search: rung after rung trials are trained on, and the worse ones fall out."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.data.dataset import Dataset
from tellapart.files import atomic_write, csv_text, remove_folder
from tellapart.jobs import Jobs
from tellapart.models.resolved_recipe import NetworkRecipe, resolve_network
from tellapart.progress import Advance, progress
from tellapart.recipe import Monitor, Recipe
from tellapart.studies.search.hyperband import Bracket, Rung, best_first, trial_count, trial_epochs
from tellapart.studies.search.space import Space, Value, draw
from tellapart.studies.search.trial_workers import Step, TrialWorkers
from tellapart.training.checkpoints import Epoch, History

if TYPE_CHECKING:
    from tellapart.studies.search.journal import Journal

TRIALS, TABLE = "trials", "trials.csv"
SEEDS = 2**31
COLUMNS = [field.name for field in fields(Epoch) if field.name != "learning_rate"]  # a space may have that name


@dataclass(frozen=True)
class Trial:
    """One recipe that is tried. `history` has an epoch for each pass it was given."""

    number: int
    bracket: int
    """In which of Hyperband's brackets; the last, 0, gives every trial all epochs."""
    values: dict[str, Value]
    recipe: NetworkRecipe
    history: History = ()

    @property
    def best(self) -> Epoch:
        """Its best epoch, by the recipe's `monitor`: the first of equals. There must be one."""
        costs = {row.epoch: cost(row, self.recipe.monitor) for row in self.history}
        return self.history[best_first(costs)[0] - 1]


@dataclass(frozen=True)
class SearchPlan:
    """What is searched: everything that decides how a search ends. The data set has its three splits."""

    dataset: Dataset
    recipe: Recipe
    space: Space
    brackets: tuple[Bracket, ...]

    @property
    def max_epochs(self) -> int:
        """The epochs of a trial that is never eliminated."""
        return self.brackets[0][-1].epochs

    def trials(self) -> list[Trial]:
        """All trials before their first epoch, by number. Raises RecipeError where values do not go together."""
        most, numbers = len(self.brackets) - 1, range(trial_count(self.brackets))
        homes = [most - i for i, bracket in enumerate(self.brackets) for _ in range(bracket[0].trials)]
        drawn = draw(self.space, len(numbers), self.recipe.seed)
        return [self._trial(*facts) for facts in zip(numbers, homes, drawn, strict=True)]

    def _trial(self, number: int, bracket: int, values: dict[str, Value]) -> Trial:
        seed = (self.recipe.seed + number) % SEEDS
        recipe = Recipe.of({**self.recipe.as_dict(), **values, "seed": seed, "epochs": self.max_epochs})
        return Trial(number, bracket, values, resolve_network(recipe, own_size=self.dataset.own_size))


def cost(row: Epoch, monitor: Monitor) -> float:
    """What an epoch came to, less being better."""
    value = getattr(row, monitor)
    return float(value) if monitor == "val_loss" else -float(value)


def rank(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Trials by their best epochs, the winner first. Each must have an epoch."""
    by_number = {trial.number: trial for trial in trials}
    costs = {number: cost(trial.best, trial.recipe.monitor) for number, trial in by_number.items()}
    return tuple(by_number[number] for number in best_first(costs))


def run(
    plan: SearchPlan, trials: list[Trial], journal: "Journal", folder: Path, jobs: Jobs | None = None
) -> tuple[Trial, ...]:
    """Run what is left of all brackets, and the winner on to the last epoch. Returns all trials, the winner first.

    Trials are trained in this process, or by `jobs`.
    """
    left = trial_epochs(plan.brackets) - sum(len(trial.history) for trial in trials)
    splits = {name: plan.dataset.splits[name] for name in ("train", "validation")}
    without_test = replace(plan.dataset, splits=splits)  # the test images stay shut
    with ExitStack() as stack:
        workers = TrialWorkers(without_test, trials[0].recipe, folder / TRIALS, jobs, stack)
        if left > 0 or len(rank(trials)[0].history) < plan.max_epochs:
            workers.start()  # before the clock of the progress
        with progress("searching", max(left, 0), "epochs") as advance:
            return SuccessiveHalving(plan, trials, journal, folder, workers, advance).run()


@dataclass
class SuccessiveHalving:
    """The trials on their way. Lives while they are trained."""

    plan: SearchPlan
    trials: list[Trial]
    journal: "Journal"
    folder: Path
    workers: TrialWorkers
    advance: Advance

    def run(self) -> tuple[Trial, ...]:
        """Every bracket, then the winner on to the last epoch."""
        for first, bracket in _with_starts(self.plan.brackets):
            racing = list(range(first, first + bracket[0].trials))
            for rung, following in zip(bracket, (*bracket[1:], Rung(0, 0)), strict=True):
                self._train(racing, rung.epochs)
                racing = self._promoted(racing, rung, following.trials)
                self._tidy()
        self._train([self._best.number], self.plan.max_epochs)
        self._tidy()
        self._write_table()  # a kill may have come just before the last was written
        return rank(self.trials)

    def _train(self, racing: Iterable[int], epochs: int) -> None:
        steps = [Step(one, self.trials[one].recipe, epochs) for one in racing if len(self._history(one)) < epochs]
        steps.sort(key=lambda step: repr(step.recipe))  # those of one shape follow each other, and share what they can
        for step, history in self.workers.train(steps, lambda: self.advance(1)):
            self.journal.trained(step.number, history)
            self.trials[step.number] = replace(self.trials[step.number], history=history)
            self.advance(0, note=self._note())
            self._write_table()

    def _promoted(self, racing: list[int], rung: Rung, count: int) -> list[int]:
        """The best of a rung; the others are finished."""
        monitor = self.plan.recipe.monitor
        best = best_first({one: cost(self._history(one)[rung.epochs - 1], monitor) for one in racing})
        for one in best[count:]:
            value = getattr(self.trials[one].best, monitor)
            self.journal.finish(one, value, eliminated=rung.epochs < self.plan.max_epochs)
        return best[:count]

    def _tidy(self) -> None:
        """Remove the checkpoints of the finished, but for the best so far: only that one may have to go on."""
        for one in self.journal.finished - {self._best.number}:
            if (self.folder / TRIALS / f"{one:04d}").exists():
                remove_folder(self.folder / TRIALS / f"{one:04d}")

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


def _with_starts(plan: Iterable[Bracket]) -> Iterator[tuple[int, Bracket]]:
    """Each bracket with the number of its first trial."""
    start = 0
    for bracket in plan:
        yield start, bracket
        start += bracket[0].trials
