"""Two classes: from which score on an image counts as the positive one, and what every choice would give.

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

By = Literal["f1", "youden", "cost"]
Labels = NDArray[np.integer] | NDArray[np.bool_]
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Threshold:
    """The score from which on an image counts as positive, and what that gave on the images it was chosen on.

    `value` is in [0, 1], or 2 where no image should count as positive. `reached` is the F1, Youden's J (recall +
    specificity - 1) or the mean cost of an image that it was chosen for. `precision` is None where none is positive.
    """

    value: float
    by: By
    reached: float
    precision: Estimate | None
    recall: Estimate
    specificity: Estimate


@dataclass(frozen=True, eq=False)
class RocPoints:
    """From nobody (threshold infinite) to everybody positive: float64 (m,) each, rates in [0, 1]."""

    false_positive_rate: Floats
    true_positive_rate: Floats
    threshold: Floats


@dataclass(frozen=True, eq=False)
class PrecisionRecallPoints:
    """From everybody positive to nobody: float64 (m + 1,), and threshold (m,): the last point, 1 and 0, has none."""

    precision: Floats
    recall: Floats
    threshold: Floats


def threshold(labels: Labels, scores: NDArray[np.floating], *, by: By = "f1", costs: Floats | None = None) -> Threshold:
    """Choose the threshold with the greatest F1 or Youden's J, or the least cost under costs, float64 (2, 2).

    Of equals the highest is taken. Chosen and measured on the same images, the numbers are a little too good: choose
    on validation images and judge on others. Raises DatasetError when the labels are not of two classes, RecipeError
    for an unknown choice. Source of J: Youden, Index for rating diagnostic tests (1950).
    """
    positives, negatives = _sizes(labels)
    values, taken, hit = steps(scores, labels == 1)
    true = np.append(0, hit)
    false = np.append(0, taken) - true
    worth = _worth(by, true, false, (positives, negatives), costs)
    best = int(worth.argmax())
    return Threshold(
        value=NEVER if best == 0 else between(values, best - 1),
        by=by,
        reached=_reached(by, float(worth[best]), positives, negatives),
        precision=wilson(int(true[best]), int(true[best] + false[best])) if best else None,
        recall=wilson(int(true[best]), positives),
        specificity=wilson(negatives - int(false[best]), negatives),
    )


def roc_points(labels: Labels, scores: NDArray[np.floating]) -> RocPoints | None:
    """Give the points of the ROC curve, as scikit-learn's with `drop_intermediate=False`; None with one class only."""
    values, taken, hit = steps(scores, labels == 1)
    positives = int(np.count_nonzero(labels == 1))
    if positives in (0, len(labels)):
        return None
    return RocPoints(
        false_positive_rate=np.append(0, taken - hit) / (len(labels) - positives),
        true_positive_rate=np.append(0, hit) / positives,
        threshold=np.append(np.inf, values),
    )


def precision_recall_points(labels: Labels, scores: NDArray[np.floating]) -> PrecisionRecallPoints | None:
    """Give the points of the precision-recall curve, as scikit-learn's; None where no image is positive."""
    values, taken, hit = steps(scores, labels == 1)
    positives = int(np.count_nonzero(labels == 1))
    if not positives:
        return None
    return PrecisionRecallPoints(
        precision=np.append((hit / taken)[::-1], 1.0),
        recall=np.append((hit / positives)[::-1], 0.0),
        threshold=values[::-1],
    )


def steps(scores: NDArray[np.floating], marks: NDArray[np.bool_]) -> tuple[Floats, Counts, Counts]:
    """Walk down the scores, equal ones together: each score, how many are at or above it, and how many of them marked.

    Takes float (n,) and bool (n,); gives float64 (m,) descending, int64 (m,) and int64 (m,).
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order].astype(np.float64)
    last = np.append(falling[1:] != falling[:-1], True)[: len(falling)]  # of equals
    return falling[last], np.flatnonzero(last).astype(np.int64) + 1, np.cumsum(marks[order], dtype=np.int64)[last]


def between(values: Floats, step: int) -> float:
    """Put a threshold midway below the step's score, so that no rounding moves an image over it; 0 below the last."""
    if step + 1 == len(values):
        return 0.0
    middle = float((values[step] + values[step + 1]) / 2)
    return middle if middle > values[step + 1] else float(values[step])


def _sizes(labels: Labels) -> tuple[int, int]:
    """How many images are positive and how many negative, at least one of each."""
    positives, negatives = int(np.count_nonzero(labels == 1)), int(np.count_nonzero(labels == 0))
    if not positives or not negatives or positives + negatives < len(labels):
        raise DatasetError(
            f"of {len(labels):,} images {positives:,} are positive (1) and {negatives:,} negative (0), expected some "
            "of each and no others: a threshold is chosen between two classes, or for one class against the rest"
        )
    return positives, negatives


def _worth(by: str, true: Counts, false: Counts, sizes: tuple[int, int], costs: Floats | None) -> Floats | Counts:
    """What each choice is worth, the greater the better; J times both sizes, so that equals are equal to the digit."""
    positives, negatives = sizes
    if by == "f1":
        f1: Floats = 2 * true / (true + false + positives)
        return f1
    if by == "youden":
        return true * negatives - false * positives
    if by != "cost":
        raise RecipeError(f"no threshold can be chosen by {by!r}: {did_you_mean(by, get_args(By))}")
    if costs is None or costs.shape != (2, 2):
        found = "there are none" if costs is None else f"they have shape {costs.shape}"
        raise RecipeError(f"a threshold by cost needs costs of shape (2, 2), true by predicted, but {found}")
    missed, passed = positives - true, negatives - false
    total: Floats = passed * costs[0, 0] + false * costs[0, 1] + missed * costs[1, 0] + true * costs[1, 1]
    return -total


def _reached(by: str, worth: float, positives: int, negatives: int) -> float:
    if by == "f1":
        return worth
    return worth / (positives * negatives) if by == "youden" else abs(worth) / (positives + negatives)
