"""The draws that decide an augmented image."""

import numpy as np
import pytest

from tellapart.data.augmentation.random_draws import NAMES, draw, draw_for_rows


def test_a_rows_draws_depend_on_seed_epoch_and_row_alone() -> None:
    whole = draw_for_rows(1, 2, np.arange(100)).values
    some = np.array([99, 3, 3, 50])
    np.testing.assert_array_equal(draw_for_rows(1, 2, some).values, whole[some])
    np.testing.assert_array_equal(draw_for_rows(1, 2, some.astype(np.int32)).values, whole[some])
    for seed, epoch in ((2, 1), (1, 3), (0, 0)):
        assert not np.isin(draw_for_rows(seed, epoch, np.arange(100)).values, whole).any()


def test_the_draws_are_even_and_know_nothing_of_each_other() -> None:
    draws = draw_for_rows(0, 0, np.arange(20_000)).values
    assert draws.min() >= 0
    assert draws.max() < 1
    tenths = np.stack([np.bincount((column * 10).astype(int), minlength=10) for column in draws.T])
    assert np.abs(tenths / 2_000 - 1).max() < 0.12  # five deviations
    even = (draws - 0.5) * np.sqrt(12)
    between_names = (even.T @ even / 20_000)[np.triu_indices(len(NAMES), 1)]
    between_rows = even[1:].T @ even[:-1] / 20_000
    assert max(np.abs(between_names).max(), np.abs(between_rows).max()) < 0.04


def test_draws_are_found_by_name_and_spread_over_a_range() -> None:
    draws = draw(np.random.default_rng(0))
    assert len(draws) == 1
    assert draws.of("rotate")[0] == draws.values[0, NAMES.index("rotate")]
    assert draws.between("rotate", -3, 5)[0] == pytest.approx(-3 + 8 * draws.of("rotate")[0])
    assert draws.between("rotate", 0, 0)[0] == 0
    np.testing.assert_array_equal(draw_for_rows(0, 0, np.arange(9)).part(slice(3, 5)).values.shape, (2, len(NAMES)))
