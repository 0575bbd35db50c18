"""Budgets: durations, limits, and recipes that leave their choices to the ladder."""

import time
from dataclasses import replace

import pytest

from tellapart.errors import RecipeError
from tellapart.recipe import Recipe
from tellapart.training.budget import SHARE, STANDARD_STEP_S, limits_of, parse_duration, require_ladder, suits_ladder


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1.5h", 5400), ("2h30m", 9000), ("45", 45), (" 10M ", 600), ("1m30", 90)],
)
def test_a_duration_is_parsed_as_people_write_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "0", "-5m", "ten", "10 minutes", "nan", "inf", "1e99h"])
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
