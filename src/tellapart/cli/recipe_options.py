"""`--from`: a recipe that was found is the same as its options said; those that are said beside it win."""

from collections.abc import Sequence
from pathlib import Path

from tellapart.errors import RecipeError
from tellapart.recipe import Recipe

FOUND_IN = ("winner.toml", "best.toml", "recipe.toml")
"""Where a folder has its recipe: a sweep's or a climbed run's, a search's, a run's."""


def expanded(words: Sequence[str]) -> list[str]:
    """The words of a command with the options of its `--from` recipe, those apart that are said. Raises RecipeError."""
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--from=") else [word])]
    if "--from" not in words:
        return words
    place = words.index("--from")
    if place + 1 == len(words):
        raise RecipeError("--from names no recipe; expected a sweep's, search's or run's folder, or a .toml file")
    rest = words[:place] + words[place + 2 :]
    said = {word.split("=")[0].removeprefix("--").removeprefix("no-").replace("-", "_") for word in rest}
    options = [option for name, option in _options(_found(Path(words[place + 1]))) if name not in said]
    return [*rest, *options]


def _found(place: Path) -> Recipe:
    if place.is_file():
        return Recipe.read(place)
    for name in FOUND_IN:
        if (place / name).is_file():
            return Recipe.read(place / name)
    raise RecipeError(f"{place} has no recipe: expected a .toml file, or a folder with {' or '.join(FOUND_IN)}")


def _options(recipe: Recipe) -> list[tuple[str, str]]:
    options: list[tuple[str, str]] = []
    for name, value in recipe.as_dict().items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            options.append((name, f"--{flag}" if value else f"--no-{flag}"))
        elif isinstance(value, tuple):
            options += [(name, f"--{flag}={one}") for one in value]
        else:
            options.append((name, f"--{flag}={value}"))
    return options
