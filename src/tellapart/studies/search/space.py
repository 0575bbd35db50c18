"""The space of a search: `--space` parsed and checked against the recipe before an image is read; random draws."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, get_args, get_origin, get_type_hints

from tellapart.data.image_size import parse_size
from tellapart.errors import RecipeError, did_you_mean, require
from tellapart.recipe import FACTS, Recipe

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = str | int | float | bool
FieldType = type[int] | type[float] | type[bool] | type[str]
TYPES: tuple[FieldType, ...] = (int, float, bool, str)
NOT_SEARCHABLE = {
    name: field_facts.fixed_in_search for name, field_facts in FACTS.items() if field_facts.fixed_in_search
}
SWITCH = {"true": True, "false": False}
MAX_DRAWS = 100  # for values that no trial has yet


@dataclass(frozen=True)
class Span:
    """Numbers from low to high, both included, drawn uniformly: in steps, if there is a step, or on a log scale."""

    low: float
    high: float
    step: float | None = None
    log: bool = False


@dataclass(frozen=True)
class Choices:
    """Values, drawn uniformly."""

    values: tuple[Value, ...]


Space = Mapping[str, Span | Choices]
"""The values of each field of a recipe that varies, in alphabetical order."""


def parse_space(options: Sequence[str], recipe: Recipe) -> Space:
    """Parse `name=low:high`, `name=low:high:step`, `name=low:high:log`, `name=a,b,c` or `name=a;b;c`.

    Raises RecipeError for a field that is unknown or may not vary, and for values that the recipe refuses.
    """
    if not options:
        raise RecipeError("there is nothing to search: say what varies, such as --space learning_rate=1e-4:1e-1:log")
    space: dict[str, Span | Choices] = {}
    for option in options:
        name, sign, text = option.partition("=")
        name = name.strip().replace("-", "_")
        if not sign or not text:
            raise RecipeError(f"space is {option!r}; expected NAME=LOW:HIGH, NAME=LOW:HIGH:STEP or NAME=A,B,C")
        _require_searchable(name)
        if name in space:
            raise RecipeError(f"space names {name} twice: give all its values at once")
        space[name] = _parse(name, text)
        for value in extremes(space[name]):
            Recipe.of({**recipe.as_dict(), name: value})  # raises what is wrong
    return dict(sorted(space.items()))


def distributions(space: Space) -> "dict[str, BaseDistribution]":
    """Return the space as distributions of Optuna."""
    optuna = require("optuna", extra="train").distributions
    result: dict[str, BaseDistribution] = {}
    for name, values in space.items():
        if isinstance(values, Choices):
            result[name] = optuna.CategoricalDistribution(values.values)
        elif _field_type(name) is int:
            result[name] = optuna.IntDistribution(values.low, values.high, log=values.log, step=values.step or 1)
        else:
            result[name] = optuna.FloatDistribution(values.low, values.high, log=values.log, step=values.step)
    return result


def draw(space: Space, count: int, seed: int) -> list[dict[str, Value]]:
    """Draw the values of `count` trials; the same seed draws the same. Values repeat only if there are no others."""
    optuna = require("optuna", extra="train")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    drawn: list[dict[str, Value]] = []
    for _ in range(count):
        tries = (study.ask(distributions(space)).params for _ in range(MAX_DRAWS))
        values = next((candidate for candidate in tries if candidate not in drawn), None)
        drawn.append(study.ask(distributions(space)).params if values is None else values)
    return drawn


def _require_searchable(name: str) -> None:
    known = [field.name for field in fields(Recipe) if field.name not in NOT_SEARCHABLE]
    if name in NOT_SEARCHABLE:
        raise RecipeError(f"{name} cannot be searched: {NOT_SEARCHABLE[name]}")
    if name not in known:
        raise RecipeError(f"a recipe has no field {name!r} to search: {did_you_mean(name, known)}")


def _field_type(name: str) -> FieldType:
    """Return the type of a recipe field: int, float, bool or str."""
    hint = get_type_hints(Recipe)[name]
    options = [item for item in get_args(hint) if item is not type(None)] if get_origin(hint) is not Literal else []
    return next((kind for kind in TYPES if kind is (options[0] if options else hint)), str)


def _parse(name: str, text: str) -> Span | Choices:
    kind = _field_type(name)
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
    # In decimals, so that 0 to 0.8 by 0.2 reaches 0.8.
    start, end, width = (Decimal(str(number)) for number in (low, high, step))
    return Span(low, kind(start + (end - start) // width * width), step)


def _value(name: str, text: str, kind: FieldType) -> Value:
    if name == "size":
        return parse_size(text)
    if kind is str:
        return text
    if kind is int or kind is float:
        return _number(name, text, kind)
    if text.lower() not in SWITCH:
        raise RecipeError(f"space {name} has {text!r}; expected true or false")
    return SWITCH[text.lower()]


def _number(name: str, text: str, kind: type[int] | type[float]) -> float:
    """Parse a number. "none" is 0, which leaves out an inner layer or dropout."""
    try:
        return kind(0) if text == "none" else _finite(kind(text))
    except ValueError as error:
        if span := re.fullmatch(r"([\d.e+]+) ?(?:-|\.\.|to) ?([\d.e+]+)", text):
            raise RecipeError(f"space {name} has {text!r}; a range is written {name}={span[1]}:{span[2]}") from error
        expected = "a whole number" if kind is int else "a number"
        raise RecipeError(f"space {name} has {text!r}; expected {expected}") from error


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def extremes(values: Span | Choices) -> tuple[Value, ...]:
    """Return the values to check: if a recipe accepts these, it accepts all."""
    return values.values if isinstance(values, Choices) else (values.low, values.high)
