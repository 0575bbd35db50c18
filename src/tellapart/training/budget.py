"""How far up the ladder a training goes."""

import re
import time
from dataclasses import dataclass
from typing import Literal

from tellapart.errors import RecipeError
from tellapart.models.catalogue import lookup
from tellapart.recipe import FACTS, Recipe

Budget = Literal["quick", "standard", "best"]
STANDARD_STEP_S = 300.0  # a step that takes longer belongs to best
SHARE = 0.8  # of the time left that a step's forecast may fill: forecasts err
FOREVER = 1e9  # seconds


@dataclass(frozen=True)
class Limits:
    """What ends a climb, besides that nothing more is gained."""

    steps: int
    """At most."""
    step_s: float
    """The longest step that is begun, in seconds."""
    until: float
    """When the time is over, in seconds of `time.monotonic`."""

    @property
    def room_s(self) -> float:
        """How long the next step may be forecast to take, in seconds."""
        return min(self.step_s, SHARE * (self.until - time.monotonic()))


def limits(effort: Budget, seconds: float | None) -> Limits:
    """The limits of an effort; with a number of seconds the time alone decides."""
    if seconds is not None:
        return Limits(steps=1_000, step_s=FOREVER, until=time.monotonic() + seconds)
    steps = 1 if effort == "quick" else 1_000
    return Limits(steps, STANDARD_STEP_S if effort == "standard" else FOREVER, time.monotonic() + FOREVER)


def seconds_of(text: str) -> float:
    """Read a time such as 90s, 10m, 1.5h or 2h30m, in seconds. Raises RecipeError."""
    found = re.fullmatch(r"(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s?)?", text.strip().lower())
    try:
        hours, minutes, seconds = (float(part or 0) for part in found.groups()) if found else (0.0, 0.0, 0.0)
    except ValueError:
        hours = minutes = seconds = 0.0
    total = 3600 * hours + 60 * minutes + seconds
    if not 0 < total < FOREVER:
        raise RecipeError(f"the time is {text!r}; expected one such as 90s, 10m or 2h30m")
    return total


def free(recipe: Recipe) -> bool:
    """Whether a recipe leaves all that the ladder decides to it: its base, images and seeds may be said."""
    said = {name for name, value in vars(recipe).items() if value != getattr(Recipe(), name)}
    return lookup(recipe.model).pretrained and recipe.weights != "none" and said <= BESIDE and recipe.validation != 0


def require_free(recipe: Recipe) -> None:
    """Refuse to climb from a recipe that has decided already. Raises RecipeError."""
    if not free(recipe):
        raise RecipeError(
            "--time and --effort climb a ladder of recipes on a pre-trained base, judged on a validation split: leave "
            f"out all options of the recipe but {', '.join(sorted(BESIDE))}, or leave out --time and --effort"
        )


BESIDE = {name for name, facts in FACTS.items() if facts.with_ladder}
"""What may be said of a recipe that is left to the ladder."""
