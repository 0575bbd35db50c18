"""What may be searched, and what is drawn from it."""

import math
from collections import Counter

import pytest

from tellapart.errors import RecipeError
from tellapart.recipe import Recipe
from tellapart.studies.search.space import Choices, Span, draw, parse_space

RECIPE = Recipe(model="mlp")


@pytest.mark.parametrize(
    ("word", "name", "expected"),
    [
        ("units=256:512:32", "units", Span(256, 512, 32)),
        ("units=10:31:10", "units", Span(10, 30, 10)),
        ("units=1:1024:log", "units", Span(1, 1024, log=True)),
        ("dropout=0:0.5", "dropout", Span(0.0, 0.5)),
        ("dropout=0:0.8:0.2", "dropout", Span(0.0, 0.8, 0.2)),
        ("learning-rate=1e-4:1e-1:log", "learning_rate", Span(1e-4, 1e-1, log=True)),
        ("learning_rate=1e-2,1e-3", "learning_rate", Choices((0.01, 0.001))),
        ("inner=none,10,100", "inner", Choices((0, 10, 100))),
        ("optimizer=adam, sgd", "optimizer", Choices(("adam", "sgd"))),
        ("mirror=true,false", "mirror", Choices((True, False))),
        ("augment=flip,rotate=30;shift=0.1;", "augment", Choices(("flip,rotate=30", "shift=0.1", ""))),
        ("units=64", "units", Choices((64,))),
        ("size=16:32:8", "size", Span(16, 32, 8)),
        ("size=16x32,32X16", "size", Choices(("16x32", "32x16"))),
    ],
)
def test_a_space_is_parsed_by_the_types_of_the_recipe(word: str, name: str, expected: Span | Choices) -> None:
    space = parse_space([word], RECIPE)
    assert space == {name: expected}
    values = [value for one in draw(space, 5, 0) for value in one.values()]
    kind = type(expected.values[0] if isinstance(expected, Choices) else expected.low)
    assert all(type(value) is kind for value in values)


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        ([], "nothing to search"),
        (["units"], "expected NAME=LOW:HIGH"),
        (["units="], "expected NAME=LOW:HIGH"),
        (["unit=1:2"], "did you mean units"),
        (["epochs=1:9"], "give --max-epochs"),
        (["validation=0.1,0.2"], "validation cannot be searched"),
        (["seed=1,2"], "seed cannot be searched"),
        (["units=9:3"], "9 is above 3"),
        (["units=1:9:2:3"], "LOW:HIGH:STEP"),
        (["units=1.5:9"], "'1.5'; expected a whole number"),
        (["units=a,b"], "'a'; expected a whole number"),
        (["units=1:9:0"], "the step is 0"),
        (["units=1:9:-2"], "the step is -2"),
        (["units=0:9"], "units is 0; expected 1"),
        (["units=1:99999999"], "expected 1 to 65536"),
        (["dropout=0:2"], "dropout is 2.0; expected 0.0"),
        (["dropout=0:0.5:log"], "above 0"),
        (["learning_rate=0.1,nan"], "'nan'; expected a number"),
        (["learning_rate=1:inf"], "'inf'; expected a number"),
        (["learning_rate=0.1,0.1"], "twice"),
        (["units=4,8", "units=16"], "twice"),
        (["optimizer=adam,foo"], "optimizer is 'foo'"),
        (["mirror=yes"], "true or false"),
        (["size=64x,32"], "such as 64x256"),
        (["size=32,32x32"], "twice"),
    ],
)
def test_fields_that_cannot_be_searched_are_refused_by_name(words: list[str], phrase: str) -> None:
    with pytest.raises(RecipeError, match=phrase):
        parse_space(words, RECIPE)


def test_the_values_of_a_span_are_equally_likely() -> None:
    space = parse_space(["units=10:40:10", "dropout=0:0.9", "learning_rate=1e-4:1e-1:log"], RECIPE)
    drawn = draw(space, 2000, 3)
    counts = Counter(one["units"] for one in drawn)
    assert set(counts) == {10, 20, 30, 40}
    assert min(counts.values()) > 400
    dropouts = [float(one["dropout"]) for one in drawn]
    assert sum(dropouts) / len(dropouts) == pytest.approx(0.45, abs=0.03)
    powers = [math.log10(float(one["learning_rate"])) for one in drawn]
    assert sum(powers) / len(powers) == pytest.approx(-2.5, abs=0.1)


def test_the_seed_decides_the_trials_and_the_order_of_options_does_not() -> None:
    words = ["units=4:64", "learning_rate=1e-4:1e-1:log", "optimizer=adam,sgd"]
    assert draw(parse_space(words, RECIPE), 7, 5) == draw(parse_space(words[::-1], RECIPE), 7, 5)
    assert draw(parse_space(words, RECIPE), 7, 5) != draw(parse_space(words, RECIPE), 7, 6)
    assert draw(parse_space(words, RECIPE), 7, 5) == draw(parse_space(words, RECIPE), 9, 5)[:7]


def test_values_repeat_only_when_there_are_no_others() -> None:
    space = parse_space(["units=8,16,32", "optimizer=adam,sgd"], RECIPE)
    drawn = draw(space, 8, 0)
    assert len({tuple(one.values()) for one in drawn[:6]}) == 6
    assert drawn[6] in drawn[:6]
