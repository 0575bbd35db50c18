"""Hyperband's arithmetic, held against the paper."""

import math
from itertools import pairwise

import pytest

from tellapart.errors import RecipeError
from tellapart.studies.search.hyperband import Rung, best_first, brackets, trial_count, trial_epochs

# Li et al. 2018, Table 1: R = 81, eta = 3. For each bracket, from s = 4 on, pairs of n_i and r_i.
TABLE = (
    ((81, 1), (27, 3), (9, 9), (3, 27), (1, 81)),
    ((34, 3), (11, 9), (3, 27), (1, 81)),
    ((15, 9), (5, 27), (1, 81)),
    ((8, 27), (2, 81)),
    ((5, 81),),
)


def test_the_brackets_are_those_of_the_paper() -> None:
    assert brackets(81, 3) == tuple(tuple(Rung(*pair) for pair in bracket) for bracket in TABLE)


def test_fractions_of_epochs_are_rounded() -> None:
    assert brackets(10, 3) == (
        (Rung(9, 1), Rung(3, 3), Rung(1, 10)),
        (Rung(5, 3), Rung(1, 10)),
        (Rung(3, 10),),
    )


@pytest.mark.parametrize("factor", [2, 3, 4, 10])
@pytest.mark.parametrize("most", [1, 2, 3, 5, 9, 26, 27, 28, 64, 243, 1000])
def test_each_rung_has_fewer_trials_and_more_epochs(most: int, factor: int) -> None:
    plan = brackets(most, factor)
    assert len(plan) == math.floor(math.log(most, factor) + 1e-9) + 1
    for bracket in plan:
        assert all(low.epochs < high.epochs for low, high in pairwise(bracket))
        assert all(low.trials >= factor * high.trials > 0 for low, high in pairwise(bracket))
        assert bracket[-1].epochs == most
        assert bracket[0].epochs >= 1


def test_a_promoted_trial_costs_only_its_further_epochs() -> None:
    plan = brackets(10, 3)
    assert trial_count(plan) == 9 + 5 + 3
    assert trial_epochs(plan) == (9 * 1 + 3 * 2 + 1 * 7) + (5 * 3 + 1 * 7) + 3 * 10


@pytest.mark.parametrize(
    ("most", "factor", "phrase"),
    [(0, 3, "max_epochs is 0"), (-1, 3, "max_epochs is -1"), (10, 1, "factor is 1"), (10**9, 3, "max_epochs")],
)
def test_invalid_brackets_are_refused(most: int, factor: int, phrase: str) -> None:
    with pytest.raises(RecipeError, match=phrase):
        brackets(most, factor)


def test_equal_costs_keep_their_order_and_nan_is_last() -> None:
    assert best_first({0: math.nan, 1: 0.5, 2: 0.25, 3: 0.5, 4: math.inf, 5: math.nan}) == [2, 1, 3, 4, 0, 5]
