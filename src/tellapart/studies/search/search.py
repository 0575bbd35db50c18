"""Search: Hyperband over a recipe's fields, then the winner trained on all there is and judged once.

A search is a folder. Whatever ends it, the same call goes on with it: the seed draws the trials, each is kept after
every rung, and only then does the log say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.data.splits.merge_splits import with_validation_in_train
from tellapart.errors import RecipeError, RunError, require
from tellapart.jobs import Jobs
from tellapart.models.resolved_recipe import EstimatorRecipe, resolve
from tellapart.process_jobs import ProcessJobs
from tellapart.progress import notify
from tellapart.recipe import Recipe
from tellapart.studies.search.folder import BEST, FINAL, JOURNAL, claim_folder
from tellapart.studies.search.hyperband import brackets, trial_epochs
from tellapart.studies.search.space import extremes, parse_space
from tellapart.studies.search.successive_halving import SearchPlan, Trial, run
from tellapart.training.prepare import draw_splits_to_compare
from tellapart.training.run import Run, train

MAX_WORKERS = 256


@dataclass(frozen=True)
class Search:
    """A finished search's folder, its winner's recipe with the best number of epochs, and all trials, best first."""

    folder: Path
    recipe: Recipe
    trials: tuple[Trial, ...]

    @cached_property
    def run(self) -> Run:
        """The winner, trained on training and validation images and judged on test."""
        return Run(self.folder / FINAL)


def search(
    dataset: Dataset,
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
    a search with the same settings, which is gone on with; `fresh` begins again. `workers` processes train at once,
    or with `jobs` those who do these; however many they are and however often it was stopped, it ends the same. Raises
    a TellapartError with a sentence.
    """
    folder = Path(out)
    plan = plan_search(dataset, recipe, space, max_epochs=max_epochs, factor=factor)
    if not 1 <= workers <= MAX_WORKERS:
        raise RecipeError(f"workers is {workers}; expected 1 to {MAX_WORKERS}, and no more than there are cores")
    require("optuna", extra="train")
    trials = plan.trials()
    everything = with_validation_in_train(plan.dataset)
    with claim_folder(folder, plan, fresh=fresh):
        if jobs is None and workers > 1:
            jobs = ProcessJobs(workers)
        ranked = _raced(plan, trials, folder, jobs)
        best = replace(ranked[0].recipe, epochs=ranked[0].best.epoch)
        best.write(folder / BEST)
        notify(f"trial {ranked[0].number} is best after epoch {best.epochs}: now with the validation images, from zero")
        train(everything, replace(best, validation=0.0), out=folder / FINAL, resume=True)
    return Search(folder, best, ranked)


def plan_search(dataset: Dataset, recipe: Recipe, words: Sequence[str], *, max_epochs: int, factor: int) -> SearchPlan:
    """Check everything that can be before an image is decoded. Raises RecipeError or DatasetError."""
    space, found = parse_space(words, recipe), brackets(max_epochs, factor)
    if recipe.epochs is not None:
        raise RecipeError("epochs is given, but a search finds their number: leave it out, and give --max-epochs")
    if recipe.then:
        raise RecipeError("then is given, but a trial has one stage: search first, then train the winner with --then")
    dataset, recipe = draw_splits_to_compare(dataset, recipe)
    values = ({name: value} for name, one in space.items() for value in extremes(one))
    for changed in ({}, *values):
        one = resolve(Recipe.of({**recipe.as_dict(), **changed}), own_size=dataset.own_size)
        if isinstance(one, EstimatorRecipe):
            raise RecipeError(f"{one.model} has no epochs, which is what a search shares out: try tellapart sweep")
    return SearchPlan(dataset, recipe, space, found)


def _raced(plan: SearchPlan, trials: Sequence[Trial], folder: Path, jobs: Jobs | None) -> tuple[Trial, ...]:
    from tellapart.studies.search.journal import Journal

    notify(
        f"searching: {len(trials)} trials, {trial_epochs(plan.brackets)} epochs in all, {plan.max_epochs} at most each"
    )
    journal = Journal(folder / JOURNAL, plan.recipe.monitor)
    journal.enrol([(trial.bracket, trial.values) for trial in trials], plan.space)
    if journal.values() != [trial.values for trial in trials]:
        raise RunError(f"{folder} was begun with another version of Optuna, which drew other trials: use --fresh")
    known = zip(trials, journal.histories(), strict=True)
    begun = [replace(trial, history=history) for trial, history in known]
    return run(plan, begun, journal, folder, jobs)
