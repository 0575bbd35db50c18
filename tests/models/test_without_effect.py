"""Options without effect on a model are refused by name; every field of a recipe is used by some model."""

import pytest

from tellapart.models.catalogue import MODELS
from tellapart.models.without_effect import OF_NETWORKS, ONLY, refusal, without_effect
from tellapart.recipe import FACTS


@pytest.mark.parametrize(
    ("model", "names", "unused"),
    [
        ("knn", ["learning_rate", "epochs", "neighbours", "size"], ["learning_rate", "epochs"]),
        ("forest", ["trees", "neighbours", "seed"], ["neighbours"]),
        ("logistic", ["features", "dropout"], ["dropout"]),
        ("cnn", ["units", "dropout", "learning_rate"], ["units"]),
        ("mlp", ["units", "trees"], ["trees"]),
        ("auto", ["trees", "epochs"], ["trees"]),
        ("a-model-of-later", ["trees", "epochs"], []),
    ],
)
def test_fields_without_effect(model: str, names: list[str], unused: list[str]) -> None:
    assert list(without_effect(model, names)) == unused


def test_each_field_has_an_effect_on_some_model_and_the_tables_name_no_other() -> None:
    assert {*OF_NETWORKS, *ONLY} <= FACTS.keys()
    assert {model for models in ONLY.values() for model in models} <= MODELS.keys()
    for name in FACTS:
        assert any(not without_effect(model, [name]) for model in MODELS), name


def test_the_refusal_names_options_and_who_uses_them() -> None:
    sentence = refusal("knn", without_effect("knn", ["learning_rate", "trees"]))
    assert sentence.startswith("--learning-rate and --trees would have no effect on knn, only on networks and --model ")
    assert "forest" in sentence
