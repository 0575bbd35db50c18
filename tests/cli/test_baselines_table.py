"""What a run must beat, as a table: each difference in points with its interval and test, and what was left out."""

from tellapart.cli.baselines_table import baselines_table
from tellapart.judging.intervals import Estimate
from tellapart.training.baselines import Baseline, LeftOut


def baseline(name: str, value: float, p_value: float) -> Baseline:
    difference = Estimate(value, value - 0.02, value + 0.02)
    return Baseline(name, "test", "pixels", 99, Estimate(0.5, 0.4, 0.6), difference, p_value)


def test_rows_have_accuracy_difference_and_test() -> None:
    entries: list[Baseline | LeftOut] = [
        baseline("majority class", 0.4, 1e-9),
        baseline("forest", -0.01, 0.2),
        LeftOut("knn", "too slow"),
    ]
    header, first, second, left_out = baselines_table(entries).splitlines()
    assert header.split("  ")[0] == "baseline on test"
    assert "50.0% (40.0% to 60.0%)" in first
    assert "+40.0 points (+38.0 to +42.0)" in first
    assert first.endswith("p < 0.0001")
    assert "-1.0 points (-3.0 to +1.0)" in second
    assert second.endswith("p = 0.2000")
    assert left_out == "left out: knn: too slow"


def test_without_baselines_there_is_no_table() -> None:
    assert baselines_table([]) == ""
    assert baselines_table([LeftOut("knn", "too slow")]) == ""
