"""The table of models: what a name settles, and what is refused with which sentence."""

import subprocess
import sys

import pytest

from tellapart.errors import RecipeError
from tellapart.models.catalogue import MODELS, lookup, settled
from tellapart.recipe import Recipe


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"there is no model 'xceptoin': did you mean xception"):
        lookup("xceptoin")


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(RecipeError) as refusal:
        lookup("zzz")
    assert all(name in str(refusal.value) for name in MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_settling_leaves_nothing_open_and_settling_again_changes_nothing(name: str) -> None:
    recipe = settled(Recipe(model=name), own_size=None)
    assert {name for name, value in vars(recipe).items() if value is None} <= {"validation"}  # its share depends on n
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
def test_only_small_networks_take_the_pictures_own_size_and_only_where_they_can(
    model: str, own_size: int | None, size: int
) -> None:
    assert settled(Recipe(model=model), own_size=own_size).size == size


def test_too_small_a_size_is_refused_with_the_least() -> None:
    with pytest.raises(RecipeError, match=r"size is 70; xception takes 71 pixels or more"):
        settled(Recipe(model="xception", size=70), own_size=None)
    assert settled(Recipe(model="xception", size=71), own_size=None).size == 71


def test_pretrained_weights_for_a_small_network_are_refused() -> None:
    with pytest.raises(RecipeError, match="no pre-trained weights for cnn"):
        settled(Recipe(model="cnn", weights="imagenet"), own_size=None)


def test_reading_the_table_loads_neither_keras_nor_tensorflow() -> None:
    code = "import sys, tellapart.models.catalogue; assert not {'keras', 'tensorflow', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
