"""The recipe as options: a group for each field, and `--from`, which begins with a recipe that exists."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from cyclopts import Parameter
from pydantic_core.core_schema import any_schema

from tellapart.cli.options import COMMON, DATA, FINE_TUNING, MODEL, SIZE, TRAINING
from tellapart.errors import RecipeError
from tellapart.models.without_effect import refusal, without_effect
from tellapart.recipe import DEFAULTS, FACTS, Recipe

RECIPE_FILES = ("winner.toml", "best.toml", "recipe.toml")
"""Where a folder has its recipe: a sweep's or a budgeted run's, a search's, a run's."""

GROUPS = {"data": DATA, "model": MODEL, "training": TRAINING, "fine-tuning": FINE_TUNING}
"""The groups of options, by the name that a field's facts give."""
MOST_USED = ("model", "size")
"""Fields listed first, whatever their group."""


def _recipe_class(**defaults: object) -> type:
    """Return a class that cyclopts reads as one option for each field of a recipe, and that makes a plain Recipe."""
    hints = get_type_hints(Recipe)
    options = []
    for field in fields(Recipe):
        group = COMMON if field.name in MOST_USED else GROUPS[FACTS[field.name].group]
        default = defaults.get(field.name, field.default)
        hint = Annotated[hints[field.name], SIZE] if field.name == "size" else hints[field.name]
        options.append((field.name, Annotated[hint, Parameter(group=group)], default))

    def new(_: type, **values: object) -> Recipe:
        model = str(values.get("model", DEFAULTS["model"]))
        if unused := without_effect(model, values):
            raise RecipeError(refusal(model, unused))
        return Recipe.of({**defaults, **values})

    namespace = {
        "__new__": new,
        "__module__": __name__,
        "__get_pydantic_core_schema__": lambda *_: any_schema(),  # cyclopts has pydantic validate it; it has done so
    }
    return make_dataclass("RecipeOptions", options, bases=(Recipe,), frozen=True, namespace=namespace)


DEFAULT_RECIPE = Recipe()
TRIAL_RECIPE = Recipe(monitor="val_accuracy")
"""A sweep compares its trials by accuracy, if nothing else is given."""
if TYPE_CHECKING:
    RecipeOptions = Recipe
    TrialOptions = Recipe
else:
    RecipeOptions = Annotated[_recipe_class(), Parameter(name="*")]
    TrialOptions = Annotated[_recipe_class(monitor="val_accuracy"), Parameter(name="*")]


def expanded(words: Sequence[str]) -> list[str]:
    """Replace `--from` by the options of its recipe, without those given beside it. Raises RecipeError."""
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--from=") else [word])]
    if "--from" not in words:
        return words
    index = words.index("--from")
    if index + 1 == len(words):
        raise RecipeError("--from names no recipe; expected a sweep's, search's or run's folder, or a .toml file")
    rest = words[:index] + words[index + 2 :]
    given = {word.split("=")[0].removeprefix("--").removeprefix("no-").replace("-", "_") for word in rest}
    values = _read(Path(words[index + 1])).as_dict()
    unused = without_effect(_model_in(rest) or values["model"], values)  # of the model that is given beside it
    return [*rest, *(option for name, option in _options(values) if name not in given and name not in unused)]


def _model_in(words: Sequence[str]) -> str | None:
    """Return the value of --model; None without it."""
    pairs = zip(words, [*words, ""][1:], strict=True)
    given = (word.partition("=")[2] or after for word, after in pairs if word.split("=")[0] == "--model")
    return next(given, None)


def _read(path: Path) -> Recipe:
    if path.is_file():
        return Recipe.read(path)
    for name in RECIPE_FILES:
        if (path / name).is_file():
            return Recipe.read(path / name)
    raise RecipeError(f"{path} has no recipe: expected a .toml file, or a folder with {' or '.join(RECIPE_FILES)}")


def _options(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    options: list[tuple[str, str]] = []
    for name, value in values.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            options.append((name, f"--{flag}" if value else f"--no-{flag}"))
        elif isinstance(value, tuple):
            options += [(name, f"--{flag}={item}") for item in value]
        else:
            options.append((name, f"--{flag}={value}"))
    return options
