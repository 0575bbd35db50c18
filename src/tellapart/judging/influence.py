"""Influence of each image on statistics of the confusion matrix: the derivative by the weight of the image.

The variance of a statistic is nearly that of the sum of its influences, which add up to 0. Source: Hampel, The
influence curve and its role in robust estimation (1974).
"""

import math

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.confusion import ClassCounts

Floats = NDArray[np.float64]
Labels = NDArray[np.integer]


def influences(name: str, labels: Labels, predicted: Labels, counts: ClassCounts) -> Floats:
    """Compute the influence of each image, float64 (n,), on a statistic named as in `evaluation.CONFUSION_STATISTICS`.

    `labels` and `predicted` are int (n,), `counts` of shape (k,) those of their confusion matrix.
    """
    if name == "matthews":
        return _on_matthews(labels, predicted, counts)
    true, chosen, correct = (column.astype(np.float64) for column in (counts.true, counts.predicted, counts.correct))
    hits, n = (labels == predicted).astype(np.float64), len(labels)
    weights: Floats = true / n if name.startswith("weighted") else (true > 0) / np.count_nonzero(true)
    if name == "balanced_accuracy":
        scores = correct / true.clip(1)
        moved: Floats = (weights / true.clip(1))[labels] * (hits - scores[labels])
    elif name.endswith("precision"):
        scores = correct / chosen.clip(1)
        moved = (weights / chosen.clip(1))[predicted] * (hits - scores[predicted])
    else:
        scores, rate = 2 * correct / (true + chosen).clip(1), weights / (true + chosen).clip(1)
        moved = 2 * rate[labels] * hits - (rate * scores)[labels] - (rate * scores)[predicted]
    if name.startswith("weighted"):  # an image also adds to the weight of its class
        moved = moved + (scores[labels] - float(weights @ scores)) / n
    return moved


def _on_matthews(labels: Labels, predicted: Labels, counts: ClassCounts) -> Floats:
    """The derivative of covariance / sqrt(a b), where a and b are the variances of predictions and labels."""
    true, chosen = counts.true.astype(np.float64), counts.predicted.astype(np.float64)
    correct, n = float(counts.correct.sum()), float(len(labels))
    a, b = float(n * n - chosen @ chosen), float(n * n - true @ true)
    if a <= 0 or b <= 0:
        return np.zeros(len(labels))
    covariance = correct * n - float(true @ chosen)
    moved = (labels == predicted) * n + correct - chosen[labels] - true[predicted]
    shrunk = (n - chosen[predicted]) / a + (n - true[labels]) / b
    influence: Floats = (moved - covariance * shrunk) / math.sqrt(a * b)
    return influence
