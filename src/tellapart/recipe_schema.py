"""The JSON Schema of recipe.toml, for editors and for programs that write recipes."""

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter

from tellapart.data.image_size import SIZE_PATTERN
from tellapart.recipe import FACTS, Recipe

KEYS = ("type", "enum", "items", "pattern")


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema of a recipe's fields: types, choices, bounds, defaults and descriptions."""
    fields, descriptions = TypeAdapter(Recipe).json_schema()["properties"], dict(_descriptions())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tellapart recipe",
        "description": "Everything that decides a run; a field that is left out is left to the model.",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"description": descriptions[name]} | _property(name, fields[name]) for name in FACTS},
    }


def _property(name: str, field: dict[str, Any]) -> dict[str, Any]:
    """Give a field its bounds, and take away null, which TOML cannot hold."""
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    kind = kinds[0] if len(kinds) == 1 else {"type": [kind["type"] for kind in kinds], "pattern": SIZE_PATTERN}
    bounds = FACTS[name].bounds
    limits = {"minimum": bounds[0], "maximum": bounds[1]} if bounds else {}
    default = {} if field["default"] is None else {"default": field["default"]}
    return {key: kind[key] for key in KEYS if key in kind} | limits | default


def _descriptions() -> Iterator[tuple[str, str]]:
    """Yield each field's name and the string below it, on one line."""
    (tree,) = ast.parse(inspect.getsource(Recipe)).body
    for field, text in pairwise(tree.body if isinstance(tree, ast.ClassDef) else []):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            yield field.target.id, " ".join(ast.literal_eval(text.value).split())
