"""Mean over folds and its interval."""

import math
from statistics import stdev

import pytest
from scipy import stats

from tellapart.judging.fold_interval import mean_over_folds, student_quantile


@pytest.mark.parametrize("freedom", [*range(1, 12), 30, 99, 998, 999])
def test_students_quantile_equals_scipys(freedom: int) -> None:
    assert student_quantile(freedom) == pytest.approx(float(stats.t.ppf(0.975, freedom)), rel=1e-9)
    assert student_quantile(freedom, 0.5) == pytest.approx(float(stats.t.ppf(0.75, freedom)), rel=1e-9)


def test_the_interval_is_the_corrected_one() -> None:
    values = [0.80, 0.82, 0.78, 0.84, 0.81]
    estimate = mean_over_folds(values, held_out=1 / 4)
    half = 2.7764451051977934 * stdev(values) * math.sqrt(1 / 5 + 1 / 4)
    assert estimate.value == pytest.approx(0.81)
    assert [estimate.low, estimate.high] == pytest.approx([0.81 - half, 0.81 + half])


def test_an_interval_stays_in_0_to_1_and_equal_folds_have_no_width() -> None:
    estimate = mean_over_folds([0.9, 1.0], held_out=1.0)
    assert (estimate.low, estimate.high) == (0.0, 1.0)
    constant = mean_over_folds([0.7, 0.7, 0.7], held_out=0.5)
    assert [constant.low, constant.high] == pytest.approx([0.7, 0.7])
