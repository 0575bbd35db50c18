"""Budgets: durations, limits, and recipes that leave their choices to the ladder."""

import time
from dataclasses import replace

import pytest

from tellapart.errors import RecipeError
from tellapart.recipe import Recipe
from tellapart.training.budget import (
    SHARE,
    STANDARD_STEP_S,
    enough_time,
    limits_of,
    parse_duration,
    require_budget,
    require_ladder,
    suits_budget,
    suits_ladder,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1.5h", 5400), ("2h30m", 9000), ("45s", 45), (" 10M ", 600), ("1m30s", 90)],
)
def test_a_duration_is_parsed_as_people_write_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["10", "1.5", " 45 "])
def test_a_time_without_a_unit_is_asked_for_one(text: str) -> None:
    number = text.strip()
    with pytest.raises(RecipeError, match=f"without a unit: give {number}s, {number}m or {number}h"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "m", "0s", "1m30", "-5m", "ten", "10 minutes", "nan", "inf", "1e99h"])
def test_text_that_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="expected one such as 90s, 10m or 2h30m"):
        parse_duration(text)


def test_a_time_alone_decides_how_long_a_step_may_be() -> None:
    limits = limits_of("quick", 100.0)
    assert limits.steps > 1
    assert limits.room_s == pytest.approx(SHARE * 100, abs=1)
    assert replace(limits, until=time.monotonic() - 5).room_s < 0


def test_budgets_limit_the_ladder() -> None:
    assert limits_of("quick", None).steps == 1
    assert limits_of("quick", None).first_room_s == limits_of("standard", None).first_room_s == 2 * STANDARD_STEP_S
    assert limits_of("best", 100.0).first_room_s == pytest.approx(SHARE * 100, abs=1)
    assert limits_of("standard", None).room_s == STANDARD_STEP_S
    assert limits_of("best", None).room_s > 1e6


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (Recipe(), True),
        (Recipe(model="mobilenet", size=160, weights="x.h5", seed=3), True),
        (Recipe(model="mlp"), False),
        (Recipe(model="xception", weights="none"), False),
        (Recipe(validation=0.0), False),
        (Recipe(dropout=0.0), False),
        (Recipe(unfreeze=6), False),
        (Recipe(then=("epochs=2",)), False),
    ],
)
def test_a_recipe_suits_the_ladder_where_it_leaves_training_to_it(recipe: Recipe, expected: bool) -> None:
    assert suits_ladder(recipe) is expected
    if not expected:
        with pytest.raises(RecipeError, match="leave out --time and --budget"):
            require_ladder(recipe)


@pytest.mark.parametrize(
    ("recipe", "by_default", "possible"),
    [
        (Recipe(), True, True),
        (Recipe(model="cnn", size=28), True, True),
        (Recipe(model="mobilenet", weights="none"), True, True),
        (Recipe(model="cnn", epochs=3), False, True),
        (Recipe(model="cnn", then=("epochs=2",)), False, False),
        (Recipe(model="knn"), False, False),
        (Recipe(dropout=0.0), False, False),
    ],
)
def test_a_budget_suits_the_ladder_and_networks_from_scratch(recipe: Recipe, by_default: bool, possible: bool) -> None:
    assert suits_budget(recipe) is by_default
    if possible:
        require_budget(recipe)
    else:
        with pytest.raises(RecipeError, match="--time and --budget"):
            require_budget(recipe)


def test_the_time_recommended_for_a_forecast_has_room_for_it() -> None:
    for seconds in (5.0, 59.0, 600.0, 3333.0):
        assert SHARE * parse_duration(enough_time(seconds)) > seconds
