"""Metrics as text: nothing is rounded away, and no interval is narrower than it can be."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.judging.evaluation import judge
from tellapart.judging.intervals import Estimate
from tellapart.reports.metric_lines import metric_lines
from tellapart.reports.report import named_difference, named_estimate
from tellapart.text import TOO_FEW


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6))
def test_few_images_have_a_wide_interval_or_none(outcomes: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(outcomes).T
    probs = np.full((len(labels), 4), 0.1)
    probs[np.arange(len(labels)), predicted] = 0.7
    for line in metric_lines(judge(labels, probs, ("a", "b", "c", "d"))):
        low, _, high = line.interval.partition(" to ")
        assert line.value == "not defined" or line.interval == TOO_FEW or low != high
        assert line.name != "accuracy" or float(high.strip("%")) - float(low.strip("%")) > 35


def test_four_images_of_four_classes_have_no_bootstrap() -> None:
    probs = np.full((4, 4), 0.1) + 0.6 * np.eye(4)[[0, 1, 2, 2]]
    lines = {line.name: line.interval for line in metric_lines(judge(np.arange(4), probs, ("a", "b", "c", "d")))}
    assert lines["balanced accuracy"] == lines["log-loss"] == TOO_FEW
    assert lines["accuracy"] == "30.1% to 95.4%"


def test_one_mistake_in_many_images_is_visible() -> None:
    assert named_estimate("accuracy", Estimate(0.99997, 0.9998, 0.99999)).value == ">99.9%"
    assert named_estimate("accuracy", Estimate(0.99997, 0.9998, 0.99999)).interval == "99.98% to 100.00%"
    assert named_difference("better by", Estimate(0.021, -0.004, 0.046)).interval == "-0.4 to +4.6 points"
