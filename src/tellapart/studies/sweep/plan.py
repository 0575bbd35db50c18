"""The plan of a sweep: `--vary` parsed and checked before an image is read; and the order of its trials."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.errors import RecipeError
from tellapart.models.catalogue import lookup
from tellapart.models.resolved_recipe import NetworkRecipe, resolve_network
from tellapart.recipe import FACTS, Recipe
from tellapart.training.fitting.checkpoints import Epoch, History
from tellapart.training.prepare import draw_splits_to_compare

NOT_VARIABLE = {name: field_facts.fixed_in_sweep for name, field_facts in FACTS.items() if field_facts.fixed_in_sweep}
EXAMPLE = "--vary learning_rate=1e-4,1e-3,1e-2"
GRID = "grid"


@dataclass(frozen=True)
class Factor:
    """A field of the recipe, the values it takes, and other fields that are set while it varies."""

    name: str
    values: tuple[Any, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """A recipe to try, and the values of the fields that have been varied so far."""

    factor: str
    values: Mapping[str, Any]
    recipe: NetworkRecipe


@dataclass(frozen=True)
class Trial:
    """A recipe that was tried, its epochs, and the number, from 1, of the best one."""

    number: int
    factor: str
    """The factor of the round in which it was trained."""
    values: Mapping[str, Any]
    recipe: NetworkRecipe
    history: History
    best_epoch: int

    @property
    def best(self) -> Epoch:
        """The best epoch, by which trials are compared."""
        return self.history[self.best_epoch - 1]

    @property
    def seconds(self) -> float:
        """The training time of all epochs."""
        return sum(row.seconds for row in self.history)


@dataclass(frozen=True)
class SweepPlan:
    """Everything that decides how a sweep ends. The data set has its splits."""

    dataset: Dataset
    recipe: Recipe
    factors: tuple[Factor, ...]
    grid: bool

    @property
    def rounds(self) -> int:
        """The number of rounds: one for each factor, or a single one over all combinations."""
        return 1 if self.grid else len(self.factors)

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields in which trials may differ."""
        names = [name for factor in self.factors for name in (factor.name, *factor.settings)]
        return tuple(dict.fromkeys(names))

    def candidates(self, round_number: int, best: Mapping[str, Any]) -> list[Candidate]:
        """Return what a round tries when the fields varied before it stay at `best`. Raises RecipeError."""
        if self.grid:
            names = [factor.name for factor in self.factors]
            combinations = product(*(factor.values for factor in self.factors))
            return [self._candidate(GRID, dict(zip(names, values, strict=True))) for values in combinations]
        factor = self.factors[round_number]
        return [self._candidate(factor.name, {**best, factor.name: value}, factor.settings) for value in factor.values]

    def epochs(self, round_number: int, best: Mapping[str, Any]) -> int:
        """Return how many epochs a round takes at most."""
        return sum(candidate.recipe.epochs for candidate in self.candidates(round_number, best))

    def _candidate(
        self, factor: str, values: Mapping[str, Any], settings: Mapping[str, Any] | None = None
    ) -> Candidate:
        recipe = replace(self.recipe, **{**values, **(settings or {})})
        if lookup(recipe.model).estimator:
            raise RecipeError(f"{recipe.model} has no epochs, and a sweep compares epochs: train it by itself")
        return Candidate(factor, values, resolve_network(recipe, own_size=self.dataset.own_size))


def parse_vary(options: Sequence[str], recipe: Recipe) -> tuple[Factor, ...]:
    """Parse `name=a,b,c`, or `name=a;b;c` where values contain commas, each optionally followed by `@ field=value,...`.

    The fields behind the @ are set while that factor varies. Raises RecipeError.
    """
    if not options:
        raise RecipeError(f"there is nothing to sweep: say what varies, such as {EXAMPLE}")
    factors = tuple(_factor(option, recipe) for option in options)
    names = [factor.name for factor in factors]
    if twice := [name for name in names if names.count(name) > 1]:
        raise RecipeError(f"{twice[0]} varies twice: give all its values at once")
    return factors


def plan_sweep(dataset: Dataset, recipe: Recipe, vary: Sequence[str], *, grid: bool) -> SweepPlan:
    """Check all candidates, and draw the splits. Raises RecipeError or DatasetError."""
    factors = parse_vary(vary, recipe)
    if recipe.then:
        raise RecipeError("then is given, but a trial has one stage: sweep first, then train the winner with --then")
    if grid and any(factor.settings for factor in factors):
        raise RecipeError(
            "a grid has a single round, so no field can be set for one factor alone: leave out the @, or the --grid"
        )
    dataset, recipe = draw_splits_to_compare(dataset, recipe)
    plan = SweepPlan(dataset, recipe, factors, grid)
    for round_number in range(plan.rounds):
        plan.candidates(round_number, {})  # raises what is wrong
    return plan


def best_trial(trials: Iterable[Trial]) -> Trial:
    """Return the best trial by `monitor`; ties go to the smaller gap, the smaller validation loss, the first."""
    return min(trials, key=_sort_key)


def gap(row: Epoch) -> float:
    """Return by how much the training accuracy exceeds the validation accuracy."""
    return round(row.accuracy - (row.val_accuracy or 0.0), 6)


def _sort_key(trial: Trial) -> tuple[float, float, float, int]:
    row = trial.best
    accuracy, loss = row.val_accuracy or 0.0, math.inf if row.val_loss is None else row.val_loss
    loss = math.inf if math.isnan(loss) else loss
    return (loss if trial.recipe.monitor == "val_loss" else -accuracy, abs(gap(row)), loss, trial.number)


def _factor(option: str, recipe: Recipe) -> Factor:
    choice, at, rest = (part.strip() for part in option.partition("@"))
    name, sign, text = (part.strip() for part in choice.partition("="))
    name = name.replace("-", "_")
    if not sign or not text or (at and not rest):
        raise RecipeError(f"vary is {option!r}; expected NAME=A,B,C or NAME=A,B,C @ FIELD=VALUE, such as {EXAMPLE}")
    _require_variable(name)
    values = tuple(Recipe.value(name, part.strip()) for part in text.split(";" if ";" in text else ","))
    if len(set(values)) < len(values):
        raise RecipeError(f"vary {choice} names a value twice")
    settings = _settings(rest, recipe) if rest else {}
    if name in settings:
        raise RecipeError(f"vary {option!r} both varies {name} and sets it: leave one out")
    for value in values:
        replace(recipe, **{**settings, name: value})  # raises what is wrong
    return Factor(name, values, settings)


def _settings(text: str, recipe: Recipe) -> Mapping[str, Any]:
    changed = recipe.changed(text)
    names = [item.name for item in fields(Recipe) if getattr(changed, item.name) != getattr(recipe, item.name)]
    for name in names:
        _require_variable(name)
    return {name: getattr(changed, name) for name in names}


def _require_variable(name: str) -> None:
    if name in NOT_VARIABLE:
        raise RecipeError(f"{name} cannot vary in a sweep: {NOT_VARIABLE[name]}")
