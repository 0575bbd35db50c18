"""The table of models: what a name settles, and what is refused with which sentence."""

import subprocess
import sys
from typing import Any

import pytest

from tellapart.errors import RecipeError
from tellapart.models.catalogue import MODELS, backbone_of, lookup, settled
from tellapart.recipe import Recipe


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"there is no model 'xceptoin': did you mean xception"):
        lookup("xceptoin")


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(RecipeError) as refusal:
        lookup("zzz")
    assert all(name in str(refusal.value) for name in MODELS)


ESTIMATORS = [name for name, model in MODELS.items() if model.estimator]


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ESTIMATORS])
def test_settling_leaves_nothing_open_and_settling_again_changes_nothing(name: str) -> None:
    recipe = settled(Recipe(model=name), own_size=None)
    open_fields = {name for name, value in vars(recipe).items() if value is None}
    # The share of validation depends on the number of images; a base is whole, unless it is cut.
    assert open_fields <= {"validation", "features", "cut"}
    assert settled(recipe, own_size=17) == recipe
    assert recipe.weights == ("imagenet" if MODELS[name].pretrained else "none")


def test_what_the_person_says_wins_even_where_it_is_nothing() -> None:
    said = Recipe(
        model="mlp", size=12, inner=0, dropout=0.0, optimizer="sgd", learning_rate=0.5, batch_size=3, epochs=2
    )
    recipe = settled(said, own_size=28)
    assert all(getattr(recipe, name) == value for name, value in said.as_dict().items())


@pytest.mark.parametrize(
    ("model", "own_size", "size"),
    [("mlp", 8, 8), ("mlp", 28, 28), ("mlp", None, 28), ("lenet5", 8, 28), ("xception", 400, 299), ("vgg16", 28, 224)],
)
def test_only_small_networks_take_the_images_own_size_and_only_where_they_can(
    model: str, own_size: int | None, size: int
) -> None:
    assert settled(Recipe(model=model), own_size=own_size).size == size


def test_too_small_a_size_is_refused_with_the_least() -> None:
    with pytest.raises(RecipeError, match=r"size is 70; xception takes 71 pixels or more"):
        settled(Recipe(model="xception", size=70), own_size=None)
    assert settled(Recipe(model="xception", size=71), own_size=None).size == 71


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(model="mlp", unfreeze=3),
        Recipe(model="cnn", cut="-1"),
        Recipe(model="xception", weights="none", unfreeze=3),
        Recipe(model="mlp", then=("unfreeze=2",)),
    ],
)
def test_what_is_said_of_a_base_is_refused_without_one(recipe: Recipe) -> None:
    with pytest.raises(RecipeError, match="trained from scratch"):
        settled(recipe, own_size=28)


def test_pretrained_weights_for_a_small_network_are_refused() -> None:
    with pytest.raises(RecipeError, match="no pre-trained weights for cnn"):
        settled(Recipe(model="cnn", weights="imagenet"), own_size=None)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize(
    ("said", "own_size", "expected"),
    [
        ({}, 28, ("pixels", 28, "none")),
        ({}, None, ("xception", 299, "imagenet")),
        ({"features": "pixels"}, None, ("pixels", 32, "none")),
        ({"features": "pixels", "size": 50}, 28, ("pixels", 50, "none")),
        ({"features": "mobilenet"}, 28, ("mobilenet", 224, "imagenet")),
        ({"features": "mobilenet", "size": 64, "weights": "x.h5"}, None, ("mobilenet", 64, "x.h5")),
    ],
)
def test_an_estimator_stands_on_the_pixels_of_small_images_and_else_on_a_base(
    name: str, said: dict[str, Any], own_size: int | None, expected: tuple[str, int, str]
) -> None:
    recipe = settled(Recipe(model=name, **said), own_size=own_size)
    assert (recipe.features, recipe.size, recipe.weights) == expected
    assert settled(recipe, own_size=17) == recipe
    assert backbone_of(recipe) == (None if recipe.features == "pixels" else recipe.features)
    assert recipe.optimizer is None  # what only networks need is not written down as if it had been used


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"features": "xceptoin"}, "features of 'xceptoin': did you mean xception"),
        ({"features": "mlp"}, "features of 'mlp': known: .*pixels.*xception"),
        ({"features": "forest"}, "features of 'forest'"),
        ({"features": "xception", "size": 70}, "size is 70; xception takes 71 pixels or more"),
        ({"features": "xception", "weights": "none"}, "weights is none, .* take --features pixels"),
        ({"features": "pixels", "weights": "imagenet"}, "weights is imagenet, but pixels need none"),
    ],
)
def test_what_an_estimator_cannot_stand_on_is_refused(said: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        settled(Recipe(model="knn", **said), own_size=None)


@pytest.mark.parametrize("name", ["mlp", "xception"])
def test_features_for_a_network_are_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=f"features is pixels, but {name} is a network"):
        settled(Recipe(model=name, features="pixels"), own_size=None)


def test_a_networks_base_is_itself_unless_it_starts_from_nothing() -> None:
    assert backbone_of(settled(Recipe(model="mobilenet"), own_size=None)) == "mobilenet"
    assert backbone_of(settled(Recipe(model="mobilenet", weights="none"), own_size=None)) is None
    assert backbone_of(settled(Recipe(model="cnn"), own_size=None)) is None


def test_reading_the_table_loads_neither_keras_nor_tensorflow() -> None:
    code = "import sys, tellapart.models.catalogue; assert not {'keras', 'tensorflow', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
