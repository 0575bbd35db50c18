"""Hyperband's brackets: how many trials each rung has, and for how many epochs. Arithmetic only.

Source: Li et al., Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization (JMLR 18, 2018),
Algorithm 1. The resource is epochs, so its fractions are rounded. `successive_halving` runs the brackets.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tellapart.errors import RecipeError

FACTORS = range(2, 101)
MAX_EPOCHS = 100_000


@dataclass(frozen=True)
class Rung:
    """A number of trials, each of which is trained until it has had `epochs` epochs in all."""

    trials: int
    epochs: int


Bracket = tuple[Rung, ...]
"""Rungs of fewer and fewer trials and more and more epochs; the last has all epochs."""


def brackets(max_epochs: int, factor: int) -> tuple[Bracket, ...]:
    """Return the brackets of a search, first the one with the most and shortest trials. Raises RecipeError."""
    if factor not in FACTORS:
        raise RecipeError(f"factor is {factor}; expected {FACTORS[0]} to {FACTORS[-1]}: 3 is usual")
    if not 1 <= max_epochs <= MAX_EPOCHS:
        raise RecipeError(f"max_epochs is {max_epochs}; expected 1 to {MAX_EPOCHS:,}")
    most = next(power for power in range(MAX_EPOCHS) if factor ** (power + 1) > max_epochs)
    return tuple(_bracket(power, most, max_epochs, factor) for power in range(most, -1, -1))


def _bracket(power: int, most: int, max_epochs: int, factor: int) -> Bracket:
    first_trials = -(-(most + 1) * factor**power // (power + 1))  # rounded up
    return tuple(
        Rung(first_trials // factor**number, max(1, round(max_epochs / factor ** (power - number))))
        for number in range(power + 1)
    )


def trial_count(brackets: Iterable[Bracket]) -> int:
    """Return the number of trials of all brackets."""
    return sum(bracket[0].trials for bracket in brackets)


def trial_epochs(brackets: Iterable[Bracket]) -> int:
    """Return the number of epochs of all trials of all brackets: promoted trials are resumed, not restarted."""
    steps = (zip(bracket, (Rung(0, 0), *bracket), strict=False) for bracket in brackets)
    return sum(rung.trials * (rung.epochs - before.epochs) for pairs in steps for rung, before in pairs)


def best_first(costs: Mapping[int, float]) -> list[int]:
    """Sort keys by their costs, lowest first; equals by key, NaN last."""
    return sorted(costs, key=lambda number: (math.isnan(costs[number]), costs[number], number))
