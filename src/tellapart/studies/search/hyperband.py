"""Hyperband: how many trials begin, for how many epochs, and which of them go on. Arithmetic only.

Source: Li et al., Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization (JMLR 18, 2018),
Algorithm 1. The resource is epochs, so that its fractions are rounded to whole ones.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tellapart.errors import RecipeError

FACTORS = range(2, 101)
MAX_EPOCHS = 100_000


@dataclass(frozen=True)
class Rung:
    """How many trials are trained, each until it has had so many epochs in all."""

    trials: int
    epochs: int


Bracket = tuple[Rung, ...]
"""Rungs of ever fewer trials and ever more epochs; the last has all epochs."""


def brackets(max_epochs: int, factor: int) -> tuple[Bracket, ...]:
    """The brackets of a search, from the one with the most and shortest trials on. Raises RecipeError."""
    if factor not in FACTORS:
        raise RecipeError(f"factor is {factor}; expected {FACTORS[0]} to {FACTORS[-1]}: 3 is usual")
    if not 1 <= max_epochs <= MAX_EPOCHS:
        raise RecipeError(f"max_epochs is {max_epochs}; expected 1 to {MAX_EPOCHS:,}")
    most = next(power for power in range(MAX_EPOCHS) if factor ** (power + 1) > max_epochs)
    return tuple(_bracket(power, most, max_epochs, factor) for power in range(most, -1, -1))


def _bracket(power: int, most: int, max_epochs: int, factor: int) -> Bracket:
    begun = -(-(most + 1) * factor**power // (power + 1))  # rounded up
    return tuple(
        Rung(begun // factor**number, max(1, round(max_epochs / factor ** (power - number))))
        for number in range(power + 1)
    )


def trial_count(plan: Iterable[Bracket]) -> int:
    """How many trials begin in all brackets together."""
    return sum(bracket[0].trials for bracket in plan)


def trial_epochs(plan: Iterable[Bracket]) -> int:
    """How many epochs all trials of all brackets together have: none is ever trained twice."""
    steps = (zip(bracket, (Rung(0, 0), *bracket), strict=False) for bracket in plan)
    return sum(rung.trials * (rung.epochs - before.epochs) for pairs in steps for rung, before in pairs)


def best_first(costs: Mapping[int, float]) -> list[int]:
    """Trials by number, lowest cost first; equals in the order of their numbers, those without a number last."""
    return sorted(costs, key=lambda number: (math.isnan(costs[number]), costs[number], number))
