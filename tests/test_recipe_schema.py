"""The JSON Schema of recipe.toml: it accepts what Recipe accepts, and refuses what it refuses."""

import json
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from jsonschema_rs import Draft202012Validator, meta

from tellapart.models.catalogue import MODELS
from tellapart.models.resolved_recipe import resolve
from tellapart.recipe import Recipe
from tellapart.recipe_schema import recipe_schema

SEVERAL = Recipe(fit="pad", optimizer="sgd", then=("unfreeze=20,epochs=5", "epochs=2"), mirror=True, min_delta=1e-3)
SCHEMA = Draft202012Validator(recipe_schema())


def test_the_schema_is_valid_json_schema_with_every_field_described() -> None:
    schema = recipe_schema()
    assert meta.is_valid(json.loads(json.dumps(schema)))
    properties = schema["properties"]
    assert list(properties) == [field.name for field in fields(Recipe)]
    assert all(field["description"].endswith(".") and {"type", "enum"} & field.keys() for field in properties.values())


@pytest.mark.parametrize(
    "recipe",
    [Recipe(), SEVERAL, Recipe(size="64x256"), *(resolve(Recipe(model=name), own_size=None) for name in MODELS)],
)
def test_every_recipe_that_a_run_writes_is_valid(recipe: Recipe, tmp_path: Path) -> None:
    recipe.write(tmp_path / "recipe.toml")
    SCHEMA.validate(tomllib.loads((tmp_path / "recipe.toml").read_text()))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sise", 28), ("model", 5), ("model", None), ("size", "150"), ("size", 150.5), ("size", True), ("size", [150]),
        ("size", 3), ("size", 4097), ("fit", "strech"), ("optimizer", "Adam"), ("learning_rate", "0.1"),
        ("test", 0.91), ("then", "epochs=2"), ("then", [2]), ("weights", {"path": "x"}), ("mirror", 1), ("size", "64x"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_invalid(field: str, value: object) -> None:
    assert not SCHEMA.is_valid({field: value})
