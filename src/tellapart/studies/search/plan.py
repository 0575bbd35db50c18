"""The plan of a search: its space, its brackets, its trials; checked before an image is decoded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tellapart.data.dataset import Dataset
from tellapart.errors import RecipeError
from tellapart.models.resolved_recipe import EstimatorRecipe, NetworkRecipe, resolve, resolve_network
from tellapart.recipe import Monitor, Recipe
from tellapart.studies.search.hyperband import Bracket, best_first, brackets, trial_count
from tellapart.studies.search.space import Space, Value, draw, extremes, parse_space
from tellapart.training.fitting.checkpoints import Epoch, History
from tellapart.training.prepare import draw_splits_to_compare

SEEDS = 2**31


@dataclass(frozen=True)
class Trial:
    """A recipe that is tried, and its epochs so far."""

    number: int
    bracket: int
    """The number of its Hyperband bracket; in the last bracket, 0, every trial has all epochs."""
    values: dict[str, Value]
    recipe: NetworkRecipe
    history: History = ()

    @property
    def best(self) -> Epoch:
        """The best epoch by the recipe's `monitor`, the first of equals. There must be an epoch."""
        costs = {row.epoch: cost(row, self.recipe.monitor) for row in self.history}
        return self.history[best_first(costs)[0] - 1]


@dataclass(frozen=True)
class SearchPlan:
    """Everything that decides how a search ends. The data set has its three splits."""

    dataset: Dataset
    recipe: Recipe
    space: Space
    brackets: tuple[Bracket, ...]

    @property
    def max_epochs(self) -> int:
        """The epochs of a trial that is never eliminated."""
        return self.brackets[0][-1].epochs

    def trials(self) -> list[Trial]:
        """Draw all trials, by number, without epochs. Raises RecipeError where values do not go together."""
        numbers = range(trial_count(self.brackets))
        bracket_numbers = [
            len(self.brackets) - 1 - i for i, bracket in enumerate(self.brackets) for _ in range(bracket[0].trials)
        ]
        drawn = draw(self.space, len(numbers), self.recipe.seed)
        return [self._trial(*trial) for trial in zip(numbers, bracket_numbers, drawn, strict=True)]

    def _trial(self, number: int, bracket: int, values: dict[str, Value]) -> Trial:
        seed = (self.recipe.seed + number) % SEEDS
        recipe = Recipe.of({**self.recipe.as_dict(), **values, "seed": seed, "epochs": self.max_epochs})
        return Trial(number, bracket, values, resolve_network(recipe, own_size=self.dataset.own_size))


def plan_search(dataset: Dataset, recipe: Recipe, space: Sequence[str], *, max_epochs: int, factor: int) -> SearchPlan:
    """Check the recipe and the space, and draw the splits. Raises RecipeError or DatasetError."""
    parsed, all_brackets = parse_space(space, recipe), brackets(max_epochs, factor)
    if recipe.epochs is not None:
        raise RecipeError("epochs is given, but a search finds their number: leave it out, and give --max-epochs")
    if recipe.then:
        raise RecipeError("then is given, but a trial has one stage: search first, then train the winner with --then")
    dataset, recipe = draw_splits_to_compare(dataset, recipe)
    changes = ({name: value} for name, values in parsed.items() for value in extremes(values))
    for change in ({}, *changes):
        resolved = resolve(Recipe.of({**recipe.as_dict(), **change}), own_size=dataset.own_size)
        if isinstance(resolved, EstimatorRecipe):
            raise RecipeError(f"{resolved.model} has no epochs, and a search divides epochs: try tellapart sweep")
    return SearchPlan(dataset, recipe, parsed, all_brackets)


def cost(row: Epoch, monitor: Monitor) -> float:
    """Return the value of an epoch that is to be minimised."""
    value = getattr(row, monitor)
    return float(value) if monitor == "val_loss" else -float(value)


def rank(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Sort trials by their best epochs, the winner first. Each must have an epoch."""
    by_number = {trial.number: trial for trial in trials}
    costs = {number: cost(trial.best, trial.recipe.monitor) for number, trial in by_number.items()}
    return tuple(by_number[number] for number in best_first(costs))
