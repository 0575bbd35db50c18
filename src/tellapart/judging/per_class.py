"""Precision, recall and F1 of each class, and what is averaged from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.confusion import ClassCounts, Numbers, class_counts
from tellapart.judging.intervals import Estimate, wilson

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassScores:
    """What the answers are worth on one class, of `n` images. None is what is not defined.

    A class without an image has only a precision, and that only if something was taken for it; a class that
    nothing was taken for has no precision; a class that all images belong to has no area under a curve.
    """

    name: str
    n: int
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    roc_auc: Estimate | None
    pr_auc: Estimate | None

    def as_json(self) -> dict[str, object]:
        """`{"name", "n", "precision": {"value", "low", "high"} or null, ...}`."""
        estimates = {name: getattr(self, name) for name in ("precision", "recall", "f1", "roc_auc", "pr_auc")}
        return {
            "name": self.name,
            "n": self.n,
            **{name: estimate and estimate.as_json() for name, estimate in estimates.items()},
        }


def class_scores(
    confusion: NDArray[np.int64],
    classes: Sequence[str],
    roc_auc: Sequence[Estimate | None],
    pr_auc: Sequence[Estimate | None],
) -> tuple[ClassScores, ...]:
    """Judge each class by a confusion matrix, int64 (k, k), rows true; the areas under the curves are passed through.

    Wilson's intervals for recall and for precision; the latter's is for images of which nothing is given, not even
    how many are of each class, and so a little wider than one within classes.
    """
    counts = class_counts(confusion)
    columns = zip(classes, counts.right.tolist(), counts.true.tolist(), counts.predicted.tolist(), strict=True)
    return tuple(
        ClassScores(
            name=name,
            n=true,
            precision=wilson(right, predicted) if predicted else None,
            recall=wilson(right, true) if true else None,
            f1=f1_estimate(right, true, predicted) if true else None,
            roc_auc=roc_auc[i],
            pr_auc=pr_auc[i],
        )
        for i, (name, right, true, predicted) in enumerate(columns)
    )


def f1_estimate(right: int, true: int, predicted: int) -> Estimate:
    """Estimate F1 of a class of `true` >= 1 images, `right` of the `predicted` ones being among them.

    F1 is 2 J / (1 + J), where J is the share of right ones among the images that are of the class or are taken
    for it: Wilson's interval of J, taken through. It is wider than a bootstrap's by some hundredths, but is one too
    where no mistake was made.
    """
    share = wilson(right, true + predicted - right)
    return Estimate(*(2 * end / (1 + end) for end in (share.value, share.low, share.high)))


def recall(counts: ClassCounts) -> Floats:
    """Compute the share of each class that was recognised: float64 (..., k), in [0, 1]; 0 for an absent class."""
    return _ratio(counts.right, counts.true)


def precision(counts: ClassCounts) -> Floats:
    """Compute the share that is right of what was taken for each class: float64 (..., k), in [0, 1]; 0 of nothing."""
    return _ratio(counts.right, counts.predicted)


def f1(counts: ClassCounts) -> Floats:
    """Compute the harmonic mean of precision and recall: float64 (..., k), in [0, 1]; 0 where nothing is right."""
    return _ratio(2 * counts.right, counts.true + counts.predicted)


def mean_recall(counts: ClassCounts) -> Floats:
    """Average recall over the classes that have images: float64 (...), in [0, 1]. It is balanced accuracy."""
    return _mean(recall(counts), counts)


def mean_precision(counts: ClassCounts) -> Floats:
    """Average precision over the classes that have images: float64 (...), in [0, 1].

    A class that nothing was taken for counts as 0, as by default in scikit-learn.
    """
    return _mean(precision(counts), counts)


def mean_f1(counts: ClassCounts) -> Floats:
    """Average F1 over the classes that have images: float64 (...), in [0, 1].

    A class without an image is left out of the mean, as scikit-learn does with `labels=` the classes present;
    an image taken for it still counts as missed.
    """
    return _mean(f1(counts), counts)


def weighted_precision(counts: ClassCounts) -> Floats:
    """Average precision, each class by its number of images: float64 (...), in [0, 1].

    Recall so averaged is accuracy.
    """
    mean: Floats = (precision(counts) * counts.true).sum(axis=-1) / counts.true.sum(axis=-1)
    return mean


def weighted_f1(counts: ClassCounts) -> Floats:
    """Average F1, each class by its number of images: float64 (...), in [0, 1]."""
    mean: Floats = (f1(counts) * counts.true).sum(axis=-1) / counts.true.sum(axis=-1)
    return mean


def matthews(counts: ClassCounts) -> Floats:
    """Compute Matthews' correlation of true and predicted classes: float64 (...), in [-1, 1]; 0 is chance.

    It is 0 where all answers, or all images, are of one class. Source: Gorodkin, Comparing two K-category
    assignments by a K-category correlation coefficient (2004), the R_K that scikit-learn computes.
    """
    right, true, predicted = (c.astype(np.float64) for c in (counts.right, counts.true, counts.predicted))
    n = true.sum(axis=-1)
    together = right.sum(axis=-1) * n - (true * predicted).sum(axis=-1)
    spread = (n * n - (predicted * predicted).sum(axis=-1)) * (n * n - (true * true).sum(axis=-1))
    # Of one class alone both differences, of equal products, are exactly 0.
    coefficient: Floats = together / np.sqrt(np.where(spread > 0, spread, 1.0))
    return coefficient


def _ratio(parts: Numbers, wholes: Numbers) -> Floats:
    ratio: Floats = np.divide(parts, np.where(wholes > 0, wholes, 1))
    return ratio


def _mean(scores: Floats, counts: ClassCounts) -> Floats:
    present = counts.true > 0
    mean: Floats = (scores * present).sum(axis=-1) / np.count_nonzero(present, axis=-1)
    return mean
