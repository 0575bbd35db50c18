"""Recipes with every choice made: defaults of the model, and refusals."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tellapart.errors import RecipeError
from tellapart.models.catalogue import MODELS
from tellapart.models.resolved_recipe import (
    MAX_DEFAULT_EPOCHS,
    EstimatorRecipe,
    NetworkRecipe,
    resolve,
    resolve_network,
)
from tellapart.recipe import Recipe

ESTIMATORS = [name for name, model in MODELS.items() if model.estimator]


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ESTIMATORS])
def test_resolving_leaves_nothing_open_and_resolving_again_changes_nothing(name: str) -> None:
    recipe = resolve(Recipe(model=name), own_size=None)
    open_fields = {name for name, value in vars(recipe).items() if value is None}
    # A network takes images; a backbone is whole, unless it is cut; images of 8 bits have one range.
    assert open_fields == {"features", "cut", "range"}
    assert resolve(recipe, own_size=17) == recipe
    assert recipe.weights == ("imagenet" if MODELS[name].pretrained else "none")


def test_what_is_given_wins_even_where_it_is_zero() -> None:
    given = Recipe(
        model="mlp", size=12, inner=0, dropout=0.0, optimizer="sgd", learning_rate=0.5, batch_size=3, epochs=2
    )
    recipe = resolve(given, own_size=28)
    assert all(getattr(recipe, name) == value for name, value in given.as_dict().items())


@pytest.mark.parametrize(
    ("model", "own_size", "size"),
    [("mlp", 8, 8), ("mlp", 28, 28), ("mlp", None, 28), ("lenet5", 8, 28), ("xception", 400, 299), ("vgg16", 28, 224)],
)
def test_only_small_networks_take_the_images_own_size_and_only_where_they_can(
    model: str, own_size: int | None, size: int
) -> None:
    assert resolve(Recipe(model=model), own_size=own_size).size == size


def test_too_small_a_size_is_refused_with_the_least() -> None:
    with pytest.raises(RecipeError, match=r"size is 70; xception takes 71 pixels or more"):
        resolve(Recipe(model="xception", size=70), own_size=None)
    assert resolve(Recipe(model="xception", size=71), own_size=None).size == 71


@pytest.mark.parametrize("recipe", [Recipe(size="70x256"), Recipe(size="256x70"), Recipe(model="knn", size="256x70")])
def test_both_sides_are_as_large_as_the_network_needs(recipe: Recipe) -> None:
    with pytest.raises(RecipeError, match=r"70.*; xception takes 71 pixels or more in height and in width: --size 299"):
        resolve(recipe, own_size=None)
    assert resolve(replace(recipe, size="71x256"), own_size=None).size == "71x256"


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(model="mlp", unfreeze=3),
        Recipe(model="cnn", cut="-1"),
        Recipe(model="xception", weights="none", unfreeze=3),
        Recipe(model="mlp", then=("unfreeze=2",)),
    ],
)
def test_options_of_a_backbone_are_refused_without_one(recipe: Recipe) -> None:
    with pytest.raises(RecipeError, match="trained from scratch"):
        resolve(recipe, own_size=28)


def test_pretrained_weights_for_a_small_network_are_refused() -> None:
    with pytest.raises(RecipeError, match="no pre-trained weights for cnn"):
        resolve(Recipe(model="cnn", weights="imagenet"), own_size=None)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize(
    ("given", "own_size", "expected"),
    [
        ({}, 28, ("pixels", 28, "none")),
        ({}, None, ("xception", 299, "imagenet")),
        ({"features": "pixels"}, None, ("pixels", 32, "none")),
        ({"features": "pixels", "size": 50}, 28, ("pixels", 50, "none")),
        ({"features": "mobilenet"}, 28, ("mobilenet", 224, "imagenet")),
        ({"features": "mobilenet", "size": 64, "weights": "x.h5"}, None, ("mobilenet", 64, "x.h5")),
    ],
)
def test_an_estimator_uses_the_pixels_of_small_images_and_else_a_backbone(
    name: str, given: dict[str, Any], own_size: int | None, expected: tuple[str, int, str]
) -> None:
    recipe = resolve(Recipe(model=name, **given), own_size=own_size)
    assert isinstance(recipe, EstimatorRecipe)
    assert (recipe.features, recipe.size, recipe.weights) == expected
    assert resolve(recipe, own_size=17) == recipe
    assert recipe.backbone == (None if recipe.features == "pixels" else recipe.features)
    assert recipe.optimizer is None  # what only networks need is not written down as if it had been used


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"features": "xceptoin"}, "features of 'xceptoin': did you mean xception"),
        ({"features": "mlp"}, "features of 'mlp': known: .*pixels.*xception"),
        ({"features": "forest"}, "features of 'forest'"),
        ({"features": "xception", "size": 70}, "size is 70; xception takes 71 pixels or more"),
        ({"features": "xception", "weights": "none"}, "weights is none, .* take --features pixels"),
        ({"features": "pixels", "weights": "imagenet"}, "weights is imagenet, but pixels need none"),
    ],
)
def test_features_that_an_estimator_cannot_use_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        resolve(Recipe(model="knn", **given), own_size=None)


@pytest.mark.parametrize("name", ["mlp", "xception"])
def test_features_for_a_network_are_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=f"features is pixels, but {name} is a network"):
        resolve(Recipe(model=name, features="pixels"), own_size=None)


def test_a_networks_backbone_is_itself_unless_it_is_trained_from_scratch() -> None:
    assert resolve(Recipe(model="mobilenet"), own_size=None).backbone == "mobilenet"
    assert resolve(Recipe(model="mobilenet", weights="none"), own_size=None).backbone is None
    assert resolve(Recipe(model="cnn"), own_size=None).backbone is None


@pytest.mark.parametrize(
    ("recipe", "images", "epochs"),
    [
        (Recipe(model="mlp"), 60_000, 40),
        (Recipe(model="mlp"), 1_260, 200),  # 5 steps each
        (Recipe(model="mlp", batch_size=64), 1_260, 50),
        (Recipe(model="lenet5"), 1_260, 25),
        (Recipe(model="cnn"), 1_000_000, 15),
        (Recipe(model="mlp"), 20, MAX_DEFAULT_EPOCHS),
        (Recipe(model="mlp", epochs=3), 20, 3),
        (Recipe(model="mobilenet"), 20, 30),
        (Recipe(model="mobilenet", weights="none"), 20, 30),
    ],
)
def test_small_networks_get_more_epochs_on_few_images(recipe: Recipe, images: int, epochs: int) -> None:
    assert resolve_network(recipe, train_images=images).epochs == epochs


@pytest.mark.parametrize("recipe", [Recipe(model="knn"), Recipe(model="mlp"), Recipe(then=("unfreeze=9,epochs=2",))])
def test_a_resolved_recipe_is_written_as_any_other(recipe: Recipe, tmp_path: Path) -> None:
    resolved = resolve(recipe, own_size=None)
    resolved.write(tmp_path / "recipe.toml")
    again = Recipe.read(tmp_path / "recipe.toml")
    assert list(again.as_dict().items()) == list(resolved.as_dict().items())
    assert resolve(again, own_size=17) == resolved


def test_stages_are_resolved_too() -> None:
    recipe = resolve_network(Recipe(dropout=0.5, then=("unfreeze=6,dropout=none", "epochs=2")))
    assert all(isinstance(stage, NetworkRecipe) for stage in recipe.stages())
    assert [(stage.unfreeze, stage.dropout, stage.epochs) for stage in recipe.stages()] == [
        (0, 0.5, 30), (6, 0.0, 30), (6, 0.0, 2),
    ]  # fmt: skip
    assert recipe.changed("dropout=none") == resolve_network(Recipe(then=recipe.then))


def test_a_stage_with_too_small_images_is_refused_before_the_first() -> None:
    with pytest.raises(RecipeError, match=r"size is 20; xception takes 71 pixels or more"):
        resolve_network(Recipe(then=("size=20",)))
