"""How far a climb may go."""

import time
from dataclasses import replace

import pytest

from tellapart.errors import RecipeError
from tellapart.recipe import Recipe
from tellapart.training.budget import SHARE, STANDARD_STEP_S, free, limits, require_free, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1.5h", 5400), ("2h30m", 9000), ("45", 45), (" 10M ", 600), ("1m30", 90)],
)
def test_a_time_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "0", "-5m", "ten", "10 minutes", "nan", "inf", "1e99h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="expected one such as 90s, 10m or 2h30m"):
        seconds_of(text)


def test_a_time_alone_decides_how_long_a_step_may_be() -> None:
    found = limits("quick", 100.0)
    assert found.steps > 1
    assert found.room_s == pytest.approx(SHARE * 100, abs=1)
    assert replace(found, until=time.monotonic() - 5).room_s < 0


def test_the_efforts_are_points_of_the_ladder() -> None:
    assert limits("quick", None).steps == 1
    assert limits("standard", None).room_s == STANDARD_STEP_S
    assert limits("best", None).room_s > 1e6


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
def test_a_recipe_is_free_where_it_leaves_training_to_the_ladder(recipe: Recipe, expected: bool) -> None:
    assert free(recipe) is expected
    if not expected:
        with pytest.raises(RecipeError, match="leave out --time and --effort"):
            require_free(recipe)
