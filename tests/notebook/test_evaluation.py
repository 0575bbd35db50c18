"""An evaluation in a notebook: every defined metric, and a confusion matrix of readable size."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.judging.evaluation import METRICS, Evaluation, judge
from tellapart.notebook.evaluation import MAX_CLASSES, TITLES, evaluation_html, metrics_html


def evaluated(labels: list[int], predicted: list[int], classes: tuple[str, ...]) -> Evaluation:
    probs: NDArray[np.float64] = np.eye(len(classes))[predicted] * 0.9 + 0.1 / len(classes)
    return judge(np.array(labels), probs, classes)


def rows(shown: str) -> list[list[str]]:
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in re.findall("<tr>(.*?)</tr>", shown)]


def test_every_metric_has_a_title() -> None:
    assert tuple(name for name in TITLES if name != "uncalibrated_log_loss") == METRICS


def test_it_shows_metrics_with_intervals_the_matrix_and_the_most_confused() -> None:
    evaluation = evaluated([0, 0, 0, 0, 1, 1, 1, 2], [0, 0, 1, 1, 1, 1, 2, 2], ("ant", "bee", "cow"))
    shown = rows(evaluation._repr_html_())
    assert shown[0] == ["metric", "value", "95 % interval"]
    assert shown[1] == ["accuracy", "62.5%", f"{evaluation.accuracy.low:.1%} to {evaluation.accuracy.high:.1%}"]
    assert ["log-loss", f"{evaluation.log_loss.value:.3f}"] in [row[:2] for row in shown]
    assert not any(row[0] == "top-3 accuracy" for row in shown)  # there are only 3 classes
    start = shown.index(["", "ant", "bee", "cow"])
    assert shown[start + 1 : start + 4] == [["ant", "2", "2", "0"], ["bee", "0", "2", "1"], ["cow", "0", "0", "1"]]
    assert shown[-2:] == [["ant", "bee", "2", "50.0%"], ["bee", "cow", "1", "33.3%"]]


def test_a_cell_is_as_dark_as_its_share_of_the_class() -> None:
    shown = evaluation_html(evaluated([0, 0, 0, 0, 1], [0, 1, 1, 1, 1], ("ant", "bee", "cow")))
    matrix = shown.partition("predicted class")[2].partition("Most confused")[0]
    assert re.findall(r"rgba\(0, 114, 178, ([\d.]+)\)", matrix) == ["0.12", "0.38", "0.50"]


def test_without_mistakes_nothing_is_confused() -> None:
    assert "Most confused" not in evaluation_html(evaluated([0, 1], [0, 1], ("ant", "bee")))


@pytest.mark.parametrize(("count", "there"), [(MAX_CLASSES, True), (MAX_CLASSES + 1, False)])
def test_a_matrix_that_is_too_large_is_left_out(count: int, there: bool) -> None:
    labels = list(range(count))
    names = tuple(f"class {label}" for label in labels)
    shown = evaluation_html(evaluated(labels, [0, *labels[:-1]], names))
    assert ("True class (row)" in shown) == there
    assert len(rows(shown.partition("Most confused")[2])) == 1 + 10


def test_unknown_and_undefined_metrics_have_no_row() -> None:
    half = {"value": 0.5, "low": 0.25, "high": 0.75}
    shown = rows(metrics_html({"n": 4, "accuracy": half, "roc_auc": None, "mine": half, "calibration": {"bins": []}}))
    assert shown == [["metric", "value", "95 % interval"], ["accuracy", "50.0%", "25.0% to 75.0%"]]


def test_class_names_are_text() -> None:
    shown = evaluation_html(evaluated([0, 1], [1, 1], ("<b>", "</table>")))
    assert "<b>" not in shown
    assert shown.count("<table") == shown.count("</table>") == 3
