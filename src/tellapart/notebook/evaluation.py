"""An evaluation in a notebook: metrics, confusion matrix, and the most confused classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.confusion import most_confused
from tellapart.judging.evaluation import Evaluation
from tellapart.notebook.html import Html, block, heading, table
from tellapart.text import counted, low_to_high, percent, value_text

TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "macro_f1": "macro F1",
    "weighted_precision": "weighted precision",
    "weighted_f1": "weighted F1",
    "top_3": "top-3 accuracy",
    "log_loss": "log-loss",
    "uncalibrated_log_loss": "log-loss before the temperature",
    "brier": "Brier score",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "matthews": "Matthews correlation",
    "ece": "calibration error",
}
NUMBERS = ("log_loss", "uncalibrated_log_loss", "brier", "roc_auc", "pr_auc", "matthews")
"""Metrics that are not shares, which are in percent."""
MAX_CLASSES = 20  # a larger confusion matrix is not shown: it would be unreadable


def evaluation_html(evaluation: Evaluation) -> Html:
    """Render the metrics, the confusion matrix of up to `MAX_CLASSES` classes, and the most confused pairs."""
    classes = evaluation.classes
    parts = [heading(f"Evaluated on {evaluation.n:,} images{_groups(evaluation)} in {len(classes):,} classes")]
    parts.append(metrics_html(evaluation.as_json()))
    if len(classes) <= MAX_CLASSES:
        parts += [heading("True class (row) and predicted class (column)"), _confusion(evaluation.confusion, classes)]
    if pairs := most_confused(evaluation.cells, classes):
        rows = [[pair.true, pair.predicted, f"{pair.count:,}", percent(pair.share)] for pair in pairs]
        parts += [heading("Most confused"), table(["true", "predicted", "images", "share of the true class"], rows)]
    return block(*parts)


def _groups(evaluation: Evaluation) -> str:
    return "" if evaluation.groups is None else f" of {counted(evaluation.groups.count, 'group')}"


def metrics_html(metrics: Mapping[str, Any]) -> Html:
    """Render each metric of `Evaluation.as_json()` with its value and 95 % interval."""
    rows = [_row(name, metrics[name]) for name in TITLES if metrics.get(name)]
    return table(["metric", "value", "95 % interval"], rows)


def _row(name: str, estimate: Mapping[str, float]) -> list[str]:
    form = ".3f" if name in NUMBERS else ".1%"
    return [TITLES[name], value_text(estimate["value"], form), low_to_high(estimate["low"], estimate["high"], form)]


def _confusion(confusion: NDArray[np.int64], classes: Sequence[str]) -> Html:
    """Render the counts, each cell shaded by its share of the true class."""
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    rows = [[name, *(f"{count:,}" for count in counts)] for name, counts in zip(classes, confusion, strict=True)]
    return table(["", *classes], rows, shades=shares.tolist())
