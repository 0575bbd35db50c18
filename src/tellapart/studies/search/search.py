"""Search: Hyperband over the fields of a recipe, then the winner trained on all but the test images and judged once.

A search is a folder. After an interruption the same call resumes it: the seed draws the trials, and each has a
checkpoint after every rung before the journal records it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import with_validation_in_train
from tellapart.errors import RecipeError, RunError, require
from tellapart.jobs import Jobs
from tellapart.process_jobs import ProcessJobs
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.studies.search.hyperband import trial_epochs
from tellapart.studies.search.plan import SearchPlan, Trial, plan_search
from tellapart.studies.search.search_folder import BEST, FINAL, JOURNAL, claim_folder
from tellapart.studies.search.successive_halving import run
from tellapart.training.run import Run, train
from tellapart.training.training_warnings import Training, TrainingWarning, trial_warnings

MAX_WORKERS = 256


@dataclass(frozen=True)
class Search:
    """A finished search: its folder, the winner's recipe with the best number of epochs, and all trials, best first."""

    folder: Path
    recipe: Recipe
    trials: tuple[Trial, ...]
    warnings: Mapping[int, tuple[TrainingWarning, ...]] = field(default_factory=dict)
    """Reasons to distrust trials, by their numbers; trials without are left out."""

    @cached_property
    def run(self) -> Run:
        """The run of the winner, trained on training and validation images and judged on test."""
        return Run(self.folder / FINAL)


def search(
    dataset: Dataset | str | Path,
    recipe: Recipe,
    space: Sequence[str],
    *,
    out: str | Path,
    max_epochs: int,
    factor: int = 3,
    workers: int = 1,
    fresh: bool = False,
    jobs: Jobs | None = None,
) -> Search:
    """Find the best values of a recipe's fields by Hyperband, then train the winner on all but the test images.

    `space` has an entry for each field that varies, as `parse_space` reads them. `out` is a new folder, or that of
    a search with the same settings, which then resumes; `fresh` begins again. Trials are trained by `workers`
    processes of this machine, or by the workers of `jobs`; their number and interruptions change nothing about the
    result. Raises a TellapartError.
    """
    folder = Path(out)
    plan = plan_search(Dataset.of(dataset), recipe, space, max_epochs=max_epochs, factor=factor)
    if not 1 <= workers <= MAX_WORKERS:
        raise RecipeError(f"workers is {workers}; expected 1 to {MAX_WORKERS}, and no more than there are cores")
    require("optuna", extra="train")
    trials = plan.trials()
    everything = with_validation_in_train(plan.dataset)
    with claim_folder(folder, plan, fresh=fresh):
        if jobs is None and workers > 1:
            jobs = ProcessJobs(workers)
        ranked = _run_trials(plan, trials, folder, jobs)
        winner = ranked[0]
        best = replace(winner.recipe, epochs=winner.best.epoch)
        best.write(folder / BEST)
        notify(
            f"trial {winner.number} is best, after epoch {best.epochs}: training it again, on the validation images too"
        )
        train(everything, replace(best, validation=0.0), out=folder / FINAL, resume=True)
    return Search(folder, Recipe(**vars(best)), ranked, _warnings(plan, ranked))


def _warnings(plan: SearchPlan, trials: Sequence[Trial]) -> Mapping[int, tuple[TrainingWarning, ...]]:
    dataset, labels = plan.dataset, plan.dataset.splits["validation"].labels
    warnings = {
        trial.number: trial_warnings(
            trial.history, trial.best, labels, dataset.classes, Training(trial.recipe, dataset.source)
        )
        for trial in trials
    }
    return {number: reasons for number, reasons in warnings.items() if reasons}


def _run_trials(plan: SearchPlan, trials: Sequence[Trial], folder: Path, jobs: Jobs | None) -> tuple[Trial, ...]:
    from tellapart.studies.search.journal import Journal  # imports Optuna

    notify(
        f"searching: {len(trials)} trials, {trial_epochs(plan.brackets)} epochs in all, {plan.max_epochs} at most each"
    )
    journal = Journal(folder / JOURNAL, plan.recipe.monitor)
    journal.enrol([(trial.bracket, trial.values) for trial in trials], plan.space)
    if journal.values() != [trial.values for trial in trials]:
        raise RunError(f"{folder} was begun with another version of Optuna, which drew other trials: use --fresh")
    histories = zip(trials, journal.histories(), strict=True)
    return run(plan, [replace(trial, history=history) for trial, history in histories], journal, folder, jobs)
