"""Decision thresholds between two classes, and the ROC and precision-recall curves of all thresholds.

`labels` are int or bool (n,), 1 for positive; `scores` are float (n,) in [0, 1], the positive class's probability.
For one class of many against the rest: `labels == c` and `probs[:, c]`.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DatasetError, RecipeError, did_you_mean
from tellapart.judging.intervals import Estimate, wilson

NEVER = 2.0  # a threshold that no probability reaches

Criterion = Literal["f1", "youden", "cost"]
Labels = NDArray[np.integer] | NDArray[np.bool_]
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Threshold:
    """The least score that is predicted as positive, with its metrics on the images it was chosen on.

    `value` is in [0, 1], or 2 where no image should be positive. `objective` is the F1, Youden's J (recall +
    specificity - 1) or the mean cost of an image. `precision` is None where no image is predicted as positive.
    """

    value: float
    criterion: Criterion
    objective: float
    precision: Estimate | None
    recall: Estimate
    specificity: Estimate


@dataclass(frozen=True, eq=False)
class RocPoints:
    """From no image positive (threshold infinite) to all: float64 (m,) each, rates in [0, 1]."""

    false_positive_rate: Floats
    true_positive_rate: Floats
    threshold: Floats


@dataclass(frozen=True, eq=False)
class PrecisionRecallPoints:
    """From all images positive to none: float64 (m + 1,), and threshold (m,): the last point, (1, 0), has none."""

    precision: Floats
    recall: Floats
    threshold: Floats


def choose_threshold(
    labels: Labels, scores: NDArray[np.floating], *, criterion: Criterion = "f1", costs: Floats | None = None
) -> Threshold:
    """Choose the threshold with the greatest F1 or Youden's J, or the least cost under costs, float64 (2, 2).

    Of equals the highest is chosen. Chosen and measured on the same images, the metrics are a little too good: choose
    on validation images and measure on others. Raises DatasetError when the labels are not of two classes, RecipeError
    for an unknown criterion. Source of J: Youden, Index for rating diagnostic tests (1950).
    """
    positives, negatives = _class_sizes(labels)
    values, predicted, hits = cumulative_counts(scores, labels == 1)
    true = np.append(0, hits)
    false = np.append(0, predicted) - true
    utility = _utility(criterion, true, false, (positives, negatives), costs)
    best = int(utility.argmax())
    return Threshold(
        value=NEVER if best == 0 else midpoint_below(values, best - 1),
        criterion=criterion,
        objective=_objective(criterion, float(utility[best]), positives, negatives),
        precision=wilson(int(true[best]), int(true[best] + false[best])) if best else None,
        recall=wilson(int(true[best]), positives),
        specificity=wilson(negatives - int(false[best]), negatives),
    )


def roc_points(labels: Labels, scores: NDArray[np.floating]) -> RocPoints | None:
    """Compute the ROC curve, as scikit-learn with `drop_intermediate=False`; None with one class only."""
    values, predicted, hits = cumulative_counts(scores, labels == 1)
    positives = int(np.count_nonzero(labels == 1))
    if positives in (0, len(labels)):
        return None
    return RocPoints(
        false_positive_rate=np.append(0, predicted - hits) / (len(labels) - positives),
        true_positive_rate=np.append(0, hits) / positives,
        threshold=np.append(np.inf, values),
    )


def precision_recall_points(labels: Labels, scores: NDArray[np.floating]) -> PrecisionRecallPoints | None:
    """Compute the precision-recall curve, as scikit-learn does; None where no image is positive."""
    values, predicted, hits = cumulative_counts(scores, labels == 1)
    positives = int(np.count_nonzero(labels == 1))
    if not positives:
        return None
    return PrecisionRecallPoints(
        precision=np.append((hits / predicted)[::-1], 1.0),
        recall=np.append((hits / positives)[::-1], 0.0),
        threshold=values[::-1],
    )


def cumulative_counts(scores: NDArray[np.floating], marked: NDArray[np.bool_]) -> tuple[Floats, Counts, Counts]:
    """Count, for each distinct score, the images with at least that score, and the marked ones among them.

    Takes float (n,) and bool (n,); returns the scores, float64 (m,) descending, and the counts, int64 (m,) each.
    """
    order = np.argsort(-scores, kind="stable")
    descending = scores[order].astype(np.float64)
    last = np.append(descending[1:] != descending[:-1], True)[: len(descending)]  # of equals
    return descending[last], np.flatnonzero(last).astype(np.int64) + 1, np.cumsum(marked[order], dtype=np.int64)[last]


def midpoint_below(values: Floats, step: int) -> float:
    """Compute the midpoint of a score and the next lower one, so that rounding moves no image; 0 for the last."""
    if step + 1 == len(values):
        return 0.0
    middle = float((values[step] + values[step + 1]) / 2)
    return middle if middle > values[step + 1] else float(values[step])


def _class_sizes(labels: Labels) -> tuple[int, int]:
    """The numbers of positive and negative images, at least one of each."""
    positives, negatives = int(np.count_nonzero(labels == 1)), int(np.count_nonzero(labels == 0))
    if not positives or not negatives or positives + negatives < len(labels):
        raise DatasetError(
            f"of {len(labels):,} images {positives:,} are positive (1) and {negatives:,} negative (0), expected both "
            "and no others: a threshold is chosen between two classes, or for one class against the rest"
        )
    return positives, negatives


def _utility(
    criterion: str, true: Counts, false: Counts, sizes: tuple[int, int], costs: Floats | None
) -> Floats | Counts:
    """The utility of each threshold, to be maximised; J is multiplied by both sizes, so that ties are exact."""
    positives, negatives = sizes
    if criterion == "f1":
        f1: Floats = 2 * true / (true + false + positives)
        return f1
    if criterion == "youden":
        return true * negatives - false * positives
    if criterion != "cost":
        raise RecipeError(
            f"no threshold can be chosen by {criterion!r}: {did_you_mean(criterion, get_args(Criterion))}"
        )
    if costs is None or costs.shape != (2, 2):
        problem = "there are none" if costs is None else f"they have shape {costs.shape}"
        raise RecipeError(f"a threshold by cost needs costs of shape (2, 2), true by predicted, but {problem}")
    missed, true_negatives = positives - true, negatives - false
    total: Floats = true_negatives * costs[0, 0] + false * costs[0, 1] + missed * costs[1, 0] + true * costs[1, 1]
    return -total


def _objective(criterion: str, utility: float, positives: int, negatives: int) -> float:
    if criterion == "f1":
        return utility
    return utility / (positives * negatives) if criterion == "youden" else abs(utility) / (positives + negatives)
