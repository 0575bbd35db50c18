"""What a search may try: `--space` read and checked against the recipe, before any image is; and drawn from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, get_args, get_origin, get_type_hints

from tellapart.errors import RecipeError, did_you_mean, require
from tellapart.recipe import FACTS, Recipe

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = str | int | float | bool
FieldType = type[int] | type[float] | type[bool] | type[str]
TYPES: tuple[FieldType, ...] = (int, float, bool, str)
NOT_SEARCHABLE = {name: facts.fixed_in_search for name, facts in FACTS.items() if facts.fixed_in_search}
SWITCH = {"true": True, "false": False}
MAX_DRAWS = 100  # to draw values that no trial has yet


@dataclass(frozen=True)
class Span:
    """Numbers from low to high, both included, all as likely: in steps if there is one, by their logarithm if asked."""

    low: float
    high: float
    step: float | None = None
    log: bool = False


@dataclass(frozen=True)
class Choices:
    """Values, all as likely."""

    values: tuple[Value, ...]


Space = Mapping[str, Span | Choices]
"""For each field of a recipe that varies, what it may be; in the order of their names."""


def parse_space(words: Sequence[str], recipe: Recipe) -> Space:
    """Read `name=low:high`, `name=low:high:step`, `name=low:high:log`, `name=a,b,c` or `name=a;b;c`.

    Raises RecipeError for what is no field, may not vary, or holds a value that the recipe refuses.
    """
    if not words:
        raise RecipeError("there is nothing to search: say what varies, such as --space learning_rate=1e-4:1e-1:log")
    space: dict[str, Span | Choices] = {}
    for word in words:
        name, sign, text = word.partition("=")
        name = name.strip().replace("-", "_")
        if not sign or not text:
            raise RecipeError(f"space is {word!r}; expected NAME=LOW:HIGH, NAME=LOW:HIGH:STEP or NAME=A,B,C")
        _require_searchable(name)
        if name in space:
            raise RecipeError(f"space names {name} twice: give all its values at once")
        space[name] = _parsed(name, text)
        for value in extremes(space[name]):
            Recipe.of({**recipe.as_dict(), name: value})  # it says what is wrong
    return dict(sorted(space.items()))


def distributions(space: Space) -> "dict[str, BaseDistribution]":
    """The same as Optuna has it."""
    optuna = require("optuna", extra="train").distributions
    found: dict[str, BaseDistribution] = {}
    for name, one in space.items():
        if isinstance(one, Choices):
            found[name] = optuna.CategoricalDistribution(one.values)
        elif _kind(name) is int:
            found[name] = optuna.IntDistribution(one.low, one.high, log=one.log, step=one.step or 1)
        else:
            found[name] = optuna.FloatDistribution(one.low, one.high, log=one.log, step=one.step)
    return found


def draw(space: Space, count: int, seed: int) -> list[dict[str, Value]]:
    """The values of `count` trials: the same seed draws the same. What was drawn before is drawn anew, if it can be."""
    optuna = require("optuna", extra="train")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    drawn: list[dict[str, Value]] = []
    for _ in range(count):
        tries = (study.ask(distributions(space)).params for _ in range(MAX_DRAWS))
        values = next((one for one in tries if one not in drawn), None)
        drawn.append(study.ask(distributions(space)).params if values is None else values)
    return drawn


def _require_searchable(name: str) -> None:
    known = [field.name for field in fields(Recipe) if field.name not in NOT_SEARCHABLE]
    if name in NOT_SEARCHABLE:
        raise RecipeError(f"{name} cannot be searched: {NOT_SEARCHABLE[name]}")
    if name not in known:
        raise RecipeError(f"a recipe has no field {name!r} to search: {did_you_mean(name, known)}")


def _kind(name: str) -> FieldType:
    """What a field of a recipe holds: int, float, bool or str."""
    hint = get_type_hints(Recipe)[name]
    some = [one for one in get_args(hint) if one is not type(None)] if get_origin(hint) is not Literal else []
    return next((kind for kind in TYPES if kind is (some[0] if some else hint)), str)


def _parsed(name: str, text: str) -> Span | Choices:
    kind = _kind(name)
    if (kind is int or kind is float) and ":" in text:
        return _span(name, text, kind)
    parts = [part.strip() for part in text.split(";" if ";" in text else ",")]
    values = tuple(_value(name, part, kind) for part in parts)
    if len(set(values)) < len(values):
        raise RecipeError(f"space {name}={text} names a value twice")
    return Choices(values)


def _span(name: str, text: str, kind: type[int] | type[float]) -> Span:
    parts = [part.strip() for part in text.split(":")]
    if len(parts) > 3:
        raise RecipeError(f"space {name}={text}: expected LOW:HIGH, LOW:HIGH:STEP or LOW:HIGH:log")
    low, high = (_number(name, part, kind) for part in parts[:2])
    if low > high:
        raise RecipeError(f"space {name}={text}: {low} is above {high}; expected the lower number first")
    if parts[2:] == ["log"]:
        if low <= 0:
            raise RecipeError(f"space {name}={text}: a logarithm needs numbers above 0; begin above {low}")
        return Span(low, high, log=True)
    if not parts[2:]:
        return Span(low, high)
    step = _number(name, parts[2], kind)
    if step <= 0:
        raise RecipeError(f"space {name}={text}: the step is {step}; expected a number above 0")
    # In decimals, where 0 to 0.8 by 0.2 reaches 0.8.
    start, end, width = (Decimal(str(number)) for number in (low, high, step))
    return Span(low, kind(start + (end - start) // width * width), step)


def _value(name: str, text: str, kind: FieldType) -> Value:
    if kind is str:
        return text
    if kind is int or kind is float:
        return _number(name, text, kind)
    if text.lower() not in SWITCH:
        raise RecipeError(f"space {name} has {text!r}; expected true or false")
    return SWITCH[text.lower()]


def _number(name: str, text: str, kind: type[int] | type[float]) -> float:
    """A number; none stands for 0, which leaves out an inner layer, or dropout."""
    try:
        return kind(0) if text == "none" else _finite(kind(text))
    except ValueError as error:
        expected = "a whole number" if kind is int else "a number"
        raise RecipeError(f"space {name} has {text!r}; expected {expected}") from error


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def extremes(one: Span | Choices) -> tuple[Value, ...]:
    """The values that a recipe must take for it to take them all."""
    return one.values if isinstance(one, Choices) else (one.low, one.high)
