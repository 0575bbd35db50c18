"""Groups: their numbers, how far they widen an interval, the exact test over them, and the warnings."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from tellapart.errors import DatasetError
from tellapart.judging.groups import (
    Groups,
    dependent,
    design,
    intraclass_correlation,
    sign_flip_test,
    student,
    trust_warning,
)
from tellapart.judging.paired import compare, mcnemar


def test_names_are_numbered_and_selections_renumbered() -> None:
    groups = Groups.of(["b", "a", "b", "c"], 4)
    assert (groups.index.tolist(), groups.count, groups.sizes.tolist()) == ([1, 0, 1, 2], 3, [1, 2, 1])
    chosen = groups.take(np.array([True, False, True, True]))
    assert (chosen.index.tolist(), chosen.count) == ([0, 0, 1], 2)
    assert groups.sums(np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [2, 4, 4]


def test_each_image_needs_its_group() -> None:
    with pytest.raises(DatasetError, match="there are 3 groups for 4 images: give each image its own"):
        Groups.of(["a", "b", "c"], 4)


def test_images_of_their_own_are_independent() -> None:
    assert dependent(None) is None
    assert dependent(Groups.of(list("abc"), 3)) is None
    pairs = Groups.of(list("aab"), 3)
    assert dependent(pairs) is pairs


def test_a_correlation_is_found() -> None:
    rng, groups = np.random.default_rng(0), Groups(np.repeat(np.arange(2_000), 10), 2_000)
    values = rng.normal(0, 0.5, 2_000)[groups.index] + rng.normal(0, 1, 20_000)
    assert intraclass_correlation(values, groups) == pytest.approx(0.2, abs=0.02)
    assert intraclass_correlation(rng.normal(0, 1, 20_000), groups) < 0.01
    assert intraclass_correlation(np.repeat(rng.normal(size=2_000), 10), groups) == 1


def test_a_huge_group_does_not_hide_how_the_others_differ() -> None:
    rng, groups = np.random.default_rng(1), Groups(np.repeat(np.arange(101), [2_000, *[20] * 100]), 101)
    found = []
    for _ in range(20):
        values = rng.normal(0, 0.5, 101)[groups.index] + rng.normal(0, 1, 4_000)
        found.append(intraclass_correlation(values, groups))
    assert np.median(found) == pytest.approx(0.2, abs=0.06)


def test_one_mistake_does_not_tell_whether_mistakes_come_together() -> None:
    groups, values = Groups(np.repeat(np.arange(20), 50), 20), np.ones(1_000)
    assert design(values, groups).effect == pytest.approx(50)  # each group counts as one image
    values[:1] = 0
    assert design(values, groups).effect == pytest.approx(50)
    values[np.arange(20) * 50] = 0
    assert design(values, groups).effect < 2


def test_quantiles_are_those_of_student() -> None:
    for freedom in (1, 2, 5, 19, 20, 25.5, 100, 1e6):
        assert student(freedom) == pytest.approx(t.ppf(0.975, freedom), rel=1e-5)
    for freedom in (1.5, 2.5, 9.5):
        assert student(freedom) == pytest.approx(t.ppf(0.975, freedom), rel=0.03)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
def test_the_sign_flip_test_counts_all_flips(differences: list[int]) -> None:
    sums = [abs(sum(map(int.__mul__, signs, differences))) for signs in product((-1, 1), repeat=len(differences))]
    expected = np.mean([value >= abs(sum(differences)) for value in sums])
    assert sign_flip_test(np.array(differences)) == pytest.approx(expected)


def test_of_single_images_it_is_mcnemars() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.random((2, 300)) < [[0.8], [0.7]]
    assert sign_flip_test(a.astype(np.int64) - b) == pytest.approx(mcnemar(a, b).p_value)


def test_a_comparison_of_groups_is_not_significant_by_the_images_of_one() -> None:
    labels = np.zeros(300, np.intp)
    better, worse = np.tile([0.9, 0.1], (300, 1)), np.tile([0.9, 0.1], (300, 1))
    worse[:40] = [0.1, 0.9]  # all of one sender
    senders = np.arange(300) // 40
    alone, grouped = compare(labels, better, worse), compare(labels, better, worse, groups=senders)
    assert alone.mcnemar.p_value < 1e-9
    assert grouped.mcnemar.p_value == 1.0
    assert alone.accuracy_difference.low > 0 > grouped.accuracy_difference.low
    assert grouped.log_loss_difference.low < alone.log_loss_difference.low
    assert (grouped.groups, alone.groups) == (8, None)
    assert list(grouped.as_json())[:2] == ["n", "groups"]
    assert "groups" not in alone.as_json()


def test_few_groups_and_one_large_group_are_warned_of() -> None:
    assert trust_warning(None) is None
    assert trust_warning(Groups(np.repeat(np.arange(10), 3), 10)) is None
    few = trust_warning(Groups(np.repeat(np.arange(9), 3), 9))
    assert few is not None
    assert few.startswith("the 27 images are of only 9 groups: with fewer than 10 no interval can be trusted")
    large = trust_warning(Groups(np.repeat(np.arange(20), [100, *[2] * 19]), 20))
    assert large is not None
    assert large.startswith("one of the 20 groups has 100 of the 138 images")
