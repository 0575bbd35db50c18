"""`--from`: a recipe that was found, as options."""

from pathlib import Path

import pytest

from tellapart.cli.recipe_options import expanded
from tellapart.errors import RecipeError
from tellapart.recipe import Recipe

RECIPE = Recipe(model="mobilenet", cut="-6", learning_rate=1e-4, mirror=True, then=("epochs=2", "unfreeze=3"))


def test_a_found_recipe_becomes_options_but_for_those_that_are_said(tmp_path: Path) -> None:
    RECIPE.write(tmp_path / "winner.toml")
    words = expanded(["train", "photos", "--from", str(tmp_path), "--learning-rate", "0.1", "--no-mirror", "--size=9"])
    assert words[:6] == ["train", "photos", "--learning-rate", "0.1", "--no-mirror", "--size=9"]
    assert "--cut=-6" in words
    assert [word for word in words if word.startswith("--then")] == ["--then=epochs=2", "--then=unfreeze=3"]
    assert not [word for word in words[6:] if word.startswith(("--learning-rate", "--mirror", "--size", "--from"))]


def test_the_winner_comes_before_the_best_and_the_asked_for(tmp_path: Path) -> None:
    for name, size in (("recipe.toml", 30), ("best.toml", 40), ("winner.toml", 50)):
        Recipe(size=size).write(tmp_path / name)
        assert f"--size={size}" in expanded([f"--from={tmp_path}"])
    assert "--size=30" in expanded(["--from", str(tmp_path / "recipe.toml")])


def test_without_from_words_stay_as_they_are() -> None:
    assert expanded(["predict", "a=b", "--top=3"]) == ["predict", "a=b", "--top=3"]


@pytest.mark.parametrize(
    ("words", "said"), [(["--from"], "names no recipe"), (["--from", "nowhere"], "nowhere has no recipe: expected")]
)
def test_a_recipe_that_is_not_there_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        expanded(words)


def test_an_expanded_recipe_reads_back_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.cli import train as module
    from tellapart.cli.run_command import run

    found: list[Recipe] = []

    def kept(_: object, recipe: Recipe, **__: object) -> None:
        found.append(recipe)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "train_run", kept)
    RECIPE.write(tmp_path / "best.toml")
    assert run(["train", "digits", "--from", str(tmp_path)]) == 130
    assert found == [RECIPE]
