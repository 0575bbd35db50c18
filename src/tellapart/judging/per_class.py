"""Precision, recall and F1 of each class, and their averages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.confusion import ClassCounts, Numbers
from tellapart.judging.intervals import Estimate, wilson

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassScores:
    """Metrics of one class, of `n` images. Undefined metrics are None.

    A class without images has at most a precision; a class that is never predicted has none; a class that all images
    belong to has no area under a curve. `groups` is the number of groups of the class's images, None where unknown.
    """

    name: str
    n: int
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    roc_auc: Estimate | None
    pr_auc: Estimate | None
    groups: int | None = None

    def as_json(self) -> dict[str, object]:
        """`{"name", "n", "precision": {"value", "low", "high"} or null, ...}`."""
        estimates = {name: getattr(self, name) for name in ("precision", "recall", "f1", "roc_auc", "pr_auc")}
        return {
            "name": self.name,
            "n": self.n,
            **({} if self.groups is None else {"groups": self.groups}),
            **{name: estimate and estimate.as_json() for name, estimate in estimates.items()},
        }


def class_scores(
    counts: ClassCounts,
    classes: Sequence[str],
    roc_auc: Sequence[Estimate | None],
    pr_auc: Sequence[Estimate | None],
) -> tuple[ClassScores, ...]:
    """Score each class by its counts, int (k,); the areas under the curves are passed through.

    Recall and precision have Wilson's intervals. That of precision does not hold the number of images of each class
    fixed, so it is a little wider than a stratified one.
    """
    columns = zip(classes, counts.correct.tolist(), counts.true.tolist(), counts.predicted.tolist(), strict=True)
    return tuple(
        ClassScores(
            name=name,
            n=true,
            precision=wilson(correct, predicted) if predicted else None,
            recall=wilson(correct, true) if true else None,
            f1=estimate_f1(correct, true, predicted) if true else None,
            roc_auc=roc_auc[i],
            pr_auc=pr_auc[i],
        )
        for i, (name, correct, true, predicted) in enumerate(columns)
    )


def estimate_f1(correct: int, true: int, predicted: int) -> Estimate:
    """Estimate F1 of a class of `true` >= 1 images, `correct` of the `predicted` ones being among them.

    F1 is 2 J / (1 + J), where J is the share of correct ones among the images that are of the class or predicted as
    it (the Jaccard index): Wilson's interval of J is transformed. It is wider than a bootstrap's by some hundredths,
    and has a width where there is no mistake.
    """
    return f1_from_jaccard(wilson(correct, true + predicted - correct))


def f1_from_jaccard(jaccard: Estimate) -> Estimate:
    """Transform a Jaccard index and its interval to F1."""
    return Estimate(*(2 * end / (1 + end) for end in (jaccard.value, jaccard.low, jaccard.high)))


def recall(counts: ClassCounts) -> Floats:
    """Compute the share of each class that is predicted as it: float64 (..., k), in [0, 1]; 0 for an absent class."""
    return _ratio(counts.correct, counts.true)


def precision(counts: ClassCounts) -> Floats:
    """Compute the share of predictions of each class that are correct: float64 (..., k), in [0, 1]; 0 without any."""
    return _ratio(counts.correct, counts.predicted)


def f1(counts: ClassCounts) -> Floats:
    """Compute the harmonic mean of precision and recall: float64 (..., k), in [0, 1]; 0 where no image is correct."""
    return _ratio(2 * counts.correct, counts.true + counts.predicted)


def mean_recall(counts: ClassCounts) -> Floats:
    """Average recall over the classes that have images: float64 (...), in [0, 1]. It is balanced accuracy."""
    return _mean(recall(counts), counts)


def mean_precision(counts: ClassCounts) -> Floats:
    """Average precision over the classes that have images: float64 (...), in [0, 1].

    A class that is never predicted has 0, as by default in scikit-learn.
    """
    return _mean(precision(counts), counts)


def mean_f1(counts: ClassCounts) -> Floats:
    """Average F1 over the classes that have images: float64 (...), in [0, 1].

    A class without images is left out of the mean, as in scikit-learn with `labels=` the classes present; an image
    predicted as it is still a miss of its true class.
    """
    return _mean(f1(counts), counts)


def weighted_precision(counts: ClassCounts) -> Floats:
    """Average precision, each class by its number of images: float64 (...), in [0, 1].

    Recall averaged in this way is accuracy.
    """
    mean: Floats = (precision(counts) * counts.true).sum(axis=-1) / counts.true.sum(axis=-1)
    return mean


def weighted_f1(counts: ClassCounts) -> Floats:
    """Average F1, each class by its number of images: float64 (...), in [0, 1]."""
    mean: Floats = (f1(counts) * counts.true).sum(axis=-1) / counts.true.sum(axis=-1)
    return mean


def matthews(counts: ClassCounts) -> Floats:
    """Compute Matthews' correlation of true and predicted classes: float64 (...), in [-1, 1]; 0 is chance.

    It is 0 where all predictions, or all images, are of one class. Source: Gorodkin, Comparing two K-category
    assignments by a K-category correlation coefficient (2004), the R_K that scikit-learn computes.
    """
    correct, true, predicted = (c.astype(np.float64) for c in (counts.correct, counts.true, counts.predicted))
    n = true.sum(axis=-1)
    covariance = correct.sum(axis=-1) * n - (true * predicted).sum(axis=-1)
    variances = (n * n - (predicted * predicted).sum(axis=-1)) * (n * n - (true * true).sum(axis=-1))
    # With a single class both differences are exactly 0.
    coefficient: Floats = covariance / np.sqrt(np.where(variances > 0, variances, 1.0))
    return coefficient


def _ratio(numerators: Numbers, denominators: Numbers) -> Floats:
    ratio: Floats = np.divide(numerators, np.where(denominators > 0, denominators, 1))
    return ratio


def _mean(scores: Floats, counts: ClassCounts) -> Floats:
    present = counts.true > 0
    mean: Floats = (scores * present).sum(axis=-1) / np.count_nonzero(present, axis=-1)
    return mean
