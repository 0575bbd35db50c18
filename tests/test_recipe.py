"""Recipe: what it refuses, and that TOML gives back the same one."""

import ast
import inspect
import tomllib
from dataclasses import FrozenInstanceError, asdict, fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.image_size import Size
from tellapart.data.preprocessing import Fit
from tellapart.errors import RecipeError
from tellapart.recipe import FACTS, FieldFacts, Group, Optimizer, Rebuilds, Recipe

FULL = Recipe(
    model="mlp", weights="naïve \"file\" \\.h5", size=28, fit="pad", inner=0, units=7, dropout=0.25, loss="binary",
    optimizer="sgd", learning_rate=1e-5, schedule="cosine", batch_size=32, epochs=15, patience=0, min_delta=1e-3,
    monitor="val_accuracy", validation=0.0, test=0.2, split_seed=3, seed=2**31 - 1, precision="bfloat16",
    features="vgg16", cut="-6", unfreeze=23, then=("unfreeze=20,epochs=5", "epochs=2"), augment="flip,rotate=30",
    views=4, mirror=True, neighbours=3, trees=50, class_weight="balanced", label_smoothing=0.1, ema=0.99, keep="all",
    mixed_precision=True, resize="keras-bilinear", range="0:4095", alpha="checker",
)  # fmt: skip


@pytest.mark.parametrize("recipe", [Recipe(), FULL])
def test_toml_gives_back_the_same_recipe(tmp_path: Path, recipe: Recipe) -> None:
    recipe.write(tmp_path / "recipe.toml")
    assert Recipe.read(tmp_path / "recipe.toml") == recipe
    assert Recipe.of(recipe.as_dict()) == recipe


def test_the_full_recipe_sets_every_field() -> None:
    default = Recipe()
    assert not [field.name for field in fields(Recipe) if getattr(FULL, field.name) == getattr(default, field.name)]


@pytest.mark.parametrize("size", ["64x256", "64X256"])
def test_a_size_may_be_height_by_width(size: str, tmp_path: Path) -> None:
    recipe = Recipe(size=size)
    assert recipe.size == "64x256"
    recipe.write(tmp_path / "recipe.toml")
    assert tomllib.loads((tmp_path / "recipe.toml").read_text())["size"] == "64x256"
    assert Recipe.read(tmp_path / "recipe.toml") == recipe == Recipe().changed(f"size={size}")
    assert Recipe(size="64x64") == Recipe(size=64) == Recipe().changed("size=64")


optional_floats = st.none() | st.floats(0, 0.99)


@given(
    rate=st.none() | st.floats(1e-9, 1e3),
    dropout=optional_floats,
    size=st.none() | st.integers(4, 4096),
    weights=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    optimizer=st.none() | st.sampled_from(get_args(Optimizer)),
)
def test_any_recipe_survives_toml(
    rate: float | None, dropout: float | None, size: int | None, weights: str | None, optimizer: Optimizer | None
) -> None:
    recipe = Recipe(learning_rate=rate, dropout=dropout, size=size, weights=weights, optimizer=optimizer)
    assert Recipe.of(tomllib.loads(tomli_w.dumps(recipe.as_dict()))) == recipe


def test_what_is_left_to_the_model_is_left_out_of_the_file(tmp_path: Path) -> None:
    Recipe(model="mlp").write(tmp_path / "recipe.toml")
    stored = tomllib.loads((tmp_path / "recipe.toml").read_text())
    assert stored["model"] == "mlp"
    expected = {name for name, value in asdict(Recipe()).items() if value is not None and not FACTS[name].later}
    assert stored.keys() == expected


def test_a_later_field_is_stored_only_where_it_is_used() -> None:
    """Files that an earlier version wrote stay equal to those of this one, to the byte."""
    assert "resize" not in Recipe().stored()
    assert Recipe(resize="keras-nearest").stored()["resize"] == "keras-nearest"
    assert Recipe.of(Recipe(resize="keras-nearest").as_dict()).resize == "keras-nearest"


def test_an_empty_file_is_the_default_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("")
    assert Recipe.read(tmp_path / "recipe.toml") == Recipe()


def test_a_whole_number_will_do_where_a_fraction_may_stand() -> None:
    assert Recipe.of({"learning_rate": 1, "min_delta": 0}) == Recipe(learning_rate=1.0)


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Recipe().seed = 1  # type: ignore[misc]


def test_an_unknown_field_suggests_what_was_meant() -> None:
    with pytest.raises(RecipeError, match="no field 'learning_rat': did you mean learning_rate"):
        Recipe.of({"learning_rat": 0.1})


WRONG: list[tuple[str, object]] = [
    ("model", None), ("model", 5), ("size", "150"), ("size", 150.0), ("size", True), ("size", [150]), ("fit", "strech"),
    ("loss", "hinge"), ("optimizer", "Adam"), ("learning_rate", "0.1"), ("learning_rate", False), ("patience", None),
    ("monitor", "loss"), ("precision", "float16"), ("seed", 1.5), ("weights", 3), ("weights", {"path": "x"}),
    ("size", "4*8"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_type_names_field_and_value(field: str, value: object) -> None:
    wrong: dict[str, Any] = {field: value}
    for make in (Recipe.of, lambda given: Recipe(**given), lambda given: replace(Recipe(), **given)):
        with pytest.raises(RecipeError) as caught:
            make(wrong)
        assert str(caught.value).startswith(f"{field} is {value!r}")


@pytest.mark.parametrize(
    ("field", "low", "high"), [(name, *facts.bounds) for name, facts in FACTS.items() if facts.bounds]
)
def test_ranges_are_inclusive_and_named_when_left(field: str, low: float, high: float) -> None:
    step = 1 if isinstance(low, int) else 1e-6
    others: dict[str, Any] = {"validation": 0.0, "test": 0.0}
    for value in (low, high):
        assert getattr(Recipe.of({**others, field: value}), field) == value
    for value in (low - step, high + step):
        with pytest.raises(RecipeError, match=f"^{field} is .*; expected {low} to {high}"):
            Recipe.of({**others, field: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_number_is_out_of_range_too(value: float) -> None:
    for field in ("learning_rate", "dropout", "min_delta", "test"):
        with pytest.raises(RecipeError, match=f"^{field} is"):
            Recipe.of({field: value})


def test_every_number_has_bounds_and_nothing_else_has() -> None:
    numbers = {
        field.name for field in fields(Recipe) if field.type in (int, float, int | None, float | None, Size | None)
    }
    assert {name for name, facts in FACTS.items() if facts.bounds} == numbers


def test_every_field_states_its_facts() -> None:
    assert [field.name for field in fields(Recipe) if not isinstance(field.metadata.get("facts"), FieldFacts)] == []


@pytest.mark.parametrize(("name", "facts"), FACTS.items())
def test_the_facts_of_a_field_agree_with_each_other(name: str, facts: FieldFacts) -> None:
    assert facts.group in get_args(Group)
    assert facts.rebuilds in get_args(Rebuilds)
    assert facts.fixed_in_search or not facts.fixed_in_sweep  # a search compares trials as a sweep does
    assert not (facts.staged and name in ("model", "weights", "validation", "test", "split_seed"))


def test_shares_that_leave_nothing_to_train_on_are_refused() -> None:
    assert Recipe(validation=0.5, test=0.49)
    with pytest.raises(RecipeError, match=r"validation 0\.5 and test 0\.5 leave nothing to train on"):
        Recipe(validation=0.5, test=0.5)


@pytest.mark.parametrize("content", [b"model = ", b"\xff\xfe", b"model = 'mlp'\nmodel = 'cnn'", b"[model]\nname = 'x'"])
def test_a_file_that_is_no_recipe_gets_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "recipe.toml").write_bytes(content)
    with pytest.raises(RecipeError, match=r"is not a recipe|^model is"):
        Recipe.read(tmp_path / "recipe.toml")


def test_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"absent\.toml is not a recipe: .*No such file"):
        Recipe.read(tmp_path / "absent.toml")


def test_every_field_is_described_on_the_line_below_it() -> None:
    (tree,) = ast.parse(inspect.getsource(Recipe)).body
    assert isinstance(tree, ast.ClassDef)
    described = set()
    for one, following in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and isinstance(following, ast.Expr):
            assert isinstance(following.value, ast.Constant)
            assert str(following.value.value).endswith(".")
            described.add(one.target.id)
    assert described == {field.name for field in fields(Recipe)}


def test_fits_of_recipe_and_preprocessing_are_the_same() -> None:
    for fit in get_args(Fit):
        assert Recipe(fit=fit).fit == fit


def test_a_line_changes_some_fields_and_leaves_the_others() -> None:
    recipe = Recipe(size=150, dropout=0.5).changed("unfreeze=20, learning_rate=1e-5,inner=none,mirror=true")
    assert recipe == Recipe(size=150, dropout=0.5, unfreeze=20, learning_rate=1e-5, inner=0, mirror=True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("unfreeze", "'unfreeze'; expected field=value"),
        ("unfrees=3", "no field 'unfrees': did you mean unfreeze"),
        ("epochs=many", "epochs is 'many'"),
        ("epochs=0", "epochs is 0; expected 1 to"),
        ("learning_rate=-1", "learning_rate is -1.0; expected"),
        ("split_seed=2", "a stage changes split_seed"),
        ("model=vgg16", "a stage changes model"),
    ],
)
def test_a_stage_that_cannot_be_is_refused_when_the_recipe_is_made(line: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Recipe(then=(line,))


def test_stages_build_upon_each_other() -> None:
    recipe = Recipe(learning_rate=1e-3, epochs=9, then=("unfreeze=6,epochs=2", "unfreeze=16"))
    first, second, third = recipe.stages()
    assert first == Recipe(learning_rate=1e-3, epochs=9)
    assert (second.unfreeze, second.epochs, second.learning_rate) == (6, 2, 1e-3)
    assert (third.unfreeze, third.epochs, third.then) == (16, 2, ())


def test_a_misspelt_augmentation_is_refused_when_the_recipe_is_made() -> None:
    with pytest.raises(RecipeError, match="no augmentation 'rotat': did you mean rotate"):
        Recipe(augment="rotat=30")


def test_an_unknown_model_is_refused_at_once_with_suggestions() -> None:
    with pytest.raises(RecipeError, match="there is no model 'mobilnet': did you mean mobilenet"):
        Recipe(model="mobilnet")
    with pytest.raises(RecipeError, match="there is no model 'resnet': did you mean resnet"):
        Recipe.of({"model": "resnet"})
