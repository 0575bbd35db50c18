"""Budgets: how many steps of the ladder a training may take, and how long."""

import math
import re
import time
from dataclasses import dataclass
from typing import Literal

from tellapart.errors import RecipeError
from tellapart.models.catalogue import lookup
from tellapart.recipe import DEFAULTS, FACTS, Recipe

Budget = Literal["quick", "standard", "best"]
STANDARD_STEP_S = 300.0  # a longer step belongs to best
FIRST_STEP = 2.0  # times as long as a further one
SHARE = 0.8  # of the time left that a step's forecast may fill: forecasts err
FOREVER = 1e9  # seconds


@dataclass(frozen=True)
class Limits:
    """Limits that end a ladder, besides steps without improvement."""

    steps: int
    """Most steps."""
    step_s: float
    """Longest step that is begun, in seconds."""
    until: float
    """End of the time, in seconds of `time.monotonic`."""

    @property
    def room_s(self) -> float:
        """Longest forecast that the next step may have, in seconds."""
        return min(self.step_s, SHARE * (self.until - time.monotonic()))

    @property
    def first_room_s(self) -> float:
        """The same of the first step, which may take longer, since there is nothing without it."""
        return min(FIRST_STEP * self.step_s, SHARE * (self.until - time.monotonic()))


def limits_of(budget: Budget, seconds: float | None) -> Limits:
    """Return the limits of a budget; with a number of seconds the time alone decides."""
    if seconds is not None:
        return Limits(steps=1_000, step_s=FOREVER, until=time.monotonic() + seconds)
    steps = 1 if budget == "quick" else 1_000
    return Limits(steps, FOREVER if budget == "best" else STANDARD_STEP_S, time.monotonic() + FOREVER)


def parse_duration(text: str) -> float:
    """Parse a time such as 90s, 10m, 1.5h or 2h30m into seconds. Raises RecipeError."""
    if re.fullmatch(r"[\d.]+", text.strip()):
        number = text.strip()
        raise RecipeError(f"the time is {text!r}, without a unit: give {number}s, {number}m or {number}h")
    match = re.fullmatch(r"(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s)?", text.strip().lower())
    try:
        hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, 0.0)
    except ValueError:
        hours = minutes = seconds = 0.0
    total = 3600 * hours + 60 * minutes + seconds
    if not 0 < total < FOREVER:
        raise RecipeError(f"the time is {text!r}; expected one such as 90s, 10m or 2h30m")
    return total


def duration_text(seconds: float) -> str:
    """Format a duration for a sentence: `90 s`, `2.5 min` or `3.0 h`."""
    if seconds >= 7200:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def enough_time(seconds: float) -> str:
    """Return the --time that has room for so many seconds of training: forecasts err."""
    minutes = math.ceil(seconds / SHARE / 60) + 1
    return f"{minutes}m" if minutes <= 120 else f"{math.ceil(minutes / 60)}h"


def suits_budget(recipe: Recipe) -> bool:
    """Tell whether a recipe leaves to a budget how to train: to the ladder, or from scratch the number of epochs."""
    return suits_ladder(recipe) or (is_from_scratch(recipe) and _leaves_the_rest(recipe))


def suits_ladder(recipe: Recipe) -> bool:
    """Tell whether a recipe leaves to the ladder everything that the ladder decides."""
    return (
        lookup(recipe.model).pretrained
        and recipe.weights != "none"
        and _leaves_the_rest(recipe)
        and recipe.validation != 0
    )


def is_from_scratch(recipe: Recipe) -> bool:
    """Tell whether a recipe is that of a network whose every layer is trained."""
    model = lookup(recipe.model)
    return not model.estimator and (not model.pretrained or recipe.weights == "none")


def _leaves_the_rest(recipe: Recipe) -> bool:
    return {name for name, value in vars(recipe).items() if value != DEFAULTS[name]} <= FIELDS_BESIDE_LADDER


def require_budget(recipe: Recipe) -> None:
    """Refuse a recipe that no budget can shorten or improve. Raises RecipeError."""
    if not is_from_scratch(recipe):
        require_ladder(recipe)
    elif recipe.then:
        raise RecipeError("--time and --budget choose the epochs of one stage: leave out --then, or the limit")


def require_ladder(recipe: Recipe) -> None:
    """Refuse a recipe that has already decided what the ladder decides. Raises RecipeError."""
    if not suits_ladder(recipe):
        raise RecipeError(
            "--time and --budget improve a recipe step by step, on a pre-trained backbone and judged on a validation "
            f"split: leave out all options of the recipe but {', '.join(sorted(FIELDS_BESIDE_LADDER))}, or leave out "
            "--time and --budget"
        )


FIELDS_BESIDE_LADDER = {name for name, field_facts in FACTS.items() if field_facts.with_ladder}
