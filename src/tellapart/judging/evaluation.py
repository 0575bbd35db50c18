"""Evaluation of predicted probabilities against labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tellapart.judging import clustered, per_class
from tellapart.judging.calibration import estimate_ece
from tellapart.judging.clustered import proportion
from tellapart.judging.confusion import ConfusionCells
from tellapart.judging.groups import Groups, Names, dependent, trust_warning
from tellapart.judging.intervals import Estimate, Statistic, bootstrap_confusion
from tellapart.judging.metrics import brier_scores, confidence_bins, confidence_gaps, in_top_k, log_losses
from tellapart.judging.per_class import ClassScores, class_scores
from tellapart.judging.per_image import Frame, Mistake, find_mistakes, to_frame
from tellapart.judging.ranking import ClassAreas, average_precision, class_areas, roc_auc
from tellapart.judging.requirements import require_judgeable, require_names
from tellapart.late_binding import late_bound

MAX_MATRIX_CLASSES = 1_000  # of a detailed JSON: more have the cells that are not empty
MAX_DOUBLED = 20_000_000  # probabilities that are converted to float64

METRICS = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "weighted_precision",
    "weighted_f1",
    "top_3",
    "log_loss",
    "brier",
    "roc_auc",
    "pr_auc",
    "matthews",
    "ece",
)
CONFUSION_STATISTICS: dict[str, Statistic] = {
    "balanced_accuracy": per_class.mean_recall,
    "macro_precision": per_class.mean_precision,
    "macro_f1": per_class.mean_f1,
    "weighted_precision": per_class.weighted_precision,
    "weighted_f1": per_class.weighted_f1,
    "matthews": per_class.matthews,
}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Metrics of a classifier on `n` labelled images. Undefined metrics are None.

    Macro means, and those of the areas under the curves, are over the classes that have images, so that
    `macro_recall` is `balanced_accuracy`; weighted recall would be `accuracy`. For two classes `roc_auc` and `pr_auc`
    are those of the second, the positive one. `top_3` is defined for more than 3 classes, areas and `matthews` where
    two classes have images.
    `labels` is int64 (n,), `probs` float64 (n, k), or as it was given where it has more than 20 million numbers.
    `groups` are those of the images, and `paths` their files or other names, None where unknown. `as_json` has none of
    these.
    """

    n: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    macro_precision: Estimate
    macro_recall: Estimate
    macro_f1: Estimate
    weighted_precision: Estimate
    weighted_f1: Estimate
    top_3: Estimate | None
    log_loss: Estimate
    brier: Estimate
    roc_auc: Estimate | None
    pr_auc: Estimate | None
    matthews: Estimate | None
    ece: Estimate
    per_class: tuple[ClassScores, ...]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    probs: NDArray[np.floating]
    groups: Groups | None = None
    paths: tuple[str, ...] | None = None

    @cached_property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The images that are predicted as another class than their label, the most confident first."""
        return find_mistakes(self.labels, self.probs, self.classes, self.paths)

    def to_frame(self) -> Frame:
        """Make a pandas DataFrame with a row for each image: path, true, predicted, probability, correct.

        A column for each class follows, with its probability. Raises MissingPackageError without pandas, which is
        no requirement of tellapart.
        """
        return to_frame(self.labels, self.probs, self.classes, self.paths)

    @cached_property
    def cells(self) -> ConfusionCells:
        """The cells of the confusion matrix that are not empty."""
        return ConfusionCells.of(self.labels, self.probs.argmax(axis=1), len(self.classes))

    @property
    def confusion(self) -> NDArray[np.int64]:
        """The confusion matrix, int64 (k, k), rows true, columns predicted: made at each call, as it may be large."""
        return self.cells.among(np.arange(len(self.classes)))

    @property
    def warning(self) -> str | None:
        """A sentence where the groups are too few, or too unequal, for the intervals to be trusted."""
        return trust_warning(self.groups)

    def __repr__(self) -> str:
        # A notebook stores the repr beside the HTML; the default one would print a number for each image and class.
        return f"<Evaluation of {self.n:,} images in {len(self.classes):,} classes: accuracy {self.accuracy.value:.1%}>"

    def as_json(self, *, detailed: bool = False) -> dict[str, object]:
        """`{"n", "accuracy": {"value", "low", "high"}, ...}`, without undefined metrics.

        Where the groups are known their number follows n, as `groups`, and a `warning` where there is one. Detailed
        adds `per_class`, `confusion` and `classes`; of more than 1,000 classes `confusion` is None, and
        `confusion_cells` lists `[true, predicted, count]`.
        """
        values: dict[str, object] = {"n": self.n}
        if self.groups is not None:
            values |= {"groups": self.groups.count} | ({"warning": self.warning} if self.warning else {})
        for name in METRICS:
            estimate: Estimate | None = getattr(self, name)
            if estimate is not None:
                values[name] = estimate.as_json()
        if detailed:
            values["per_class"] = [scores.as_json() for scores in self.per_class]
            if len(self.classes) > MAX_MATRIX_CLASSES:
                values |= {"confusion": None, "confusion_cells": self.cells.as_json()}
            else:
                values["confusion"] = self.confusion.tolist()
            values["classes"] = list(self.classes)
        return values

    def _repr_html_(self) -> str:
        """Metrics, confusion matrix and most confused pairs, for a notebook."""
        return str(late_bound("evaluation_html")(self))


def judge(
    labels: NDArray[np.integer],
    probs: NDArray[np.floating],
    classes: tuple[str, ...],
    *,
    seed: int = 0,
    groups: Names | None = None,
    paths: Sequence[str] | None = None,
) -> Evaluation:
    """Evaluate probabilities, float (n, k), against labels, int (n,), with 95 % intervals.

    `groups` names for each image what it belongs to, such as who sent it: images of one group are not independent, and
    the intervals are then about other groups, see `clustered`. `paths` names each image's file, for `mistakes`.
    Accuracy and top-3 accuracy have Wilson's interval; metrics of the confusion matrix, log-loss and Brier score a
    stratified bootstrap; `ranking` and `calibration_interval` give those of areas and of the calibration error.
    The same seed gives the same intervals. Raises DatasetError when the arrays do not match or are not probabilities.
    """
    require_judgeable(labels, probs, classes)
    names = require_names(paths, len(labels))
    named = None if groups is None else Groups.of(groups, len(labels))
    probs = probs if probs.size > MAX_DOUBLED else probs.astype(np.float64)
    return replace(_judge(labels.astype(np.int64), probs, classes, seed, named), paths=names)


def _judge(
    labels: NDArray[np.int64],
    probs: NDArray[np.floating],
    classes: tuple[str, ...],
    seed: int,
    groups: Groups | None,
) -> Evaluation:
    predicted = probs.argmax(axis=1)
    cells = ConfusionCells.of(labels, predicted, len(classes))
    counts = cells.class_counts
    estimates = _confusion_estimates(labels, predicted, cells, seed, groups)
    columns = [log_losses(labels, probs), brier_scores(labels, probs)]
    log_loss, brier = clustered.means(columns, labels, groups, rng=np.random.default_rng(seed), least=0.0)
    roc, pr = (class_areas(labels, probs, measure, groups) for measure in (roc_auc, average_precision))
    scores = class_scores(counts, classes, roc.by_class, pr.by_class)
    return Evaluation(
        n=len(labels),
        accuracy=proportion(predicted == labels, groups),
        balanced_accuracy=estimates["balanced_accuracy"],
        macro_precision=estimates["macro_precision"],
        macro_recall=estimates["balanced_accuracy"],
        macro_f1=estimates["macro_f1"],
        weighted_precision=estimates["weighted_precision"],
        weighted_f1=estimates["weighted_f1"],
        top_3=_top_3(labels, probs, groups),
        log_loss=log_loss,
        brier=brier,
        roc_auc=_overall(roc),
        pr_auc=_overall(pr),
        matthews=estimates["matthews"] if np.count_nonzero(counts.true) > 1 else None,
        ece=_ece(labels, probs, seed, groups),
        per_class=scores if groups is None else clustered.class_scores(scores, labels, predicted, groups),
        classes=classes,
        labels=labels,
        probs=probs,
        groups=groups,
    )


def _confusion_estimates(
    labels: NDArray[np.int64],
    predicted: NDArray[np.intp],
    cells: ConfusionCells,
    seed: int,
    groups: Groups | None,
) -> dict[str, Estimate]:
    rng, clusters = np.random.default_rng(seed), dependent(groups)
    if clusters is None:
        return bootstrap_confusion(cells, CONFUSION_STATISTICS, rng=rng)
    return clustered.confusion_statistics(labels, predicted, cells.classes, CONFUSION_STATISTICS, clusters, rng=rng)


def _ece(labels: NDArray[np.int64], probs: NDArray[np.floating], seed: int, groups: Groups | None) -> Estimate:
    rng = np.random.default_rng(seed)
    return estimate_ece(confidence_gaps(labels, probs), confidence_bins(probs), labels, rng=rng, groups=groups)


def _overall(areas: ClassAreas) -> Estimate | None:
    """The mean over classes; with two classes, the area of the positive one."""
    return areas.by_class[1] if len(areas.by_class) == 2 else areas.mean


def _top_3(labels: NDArray[np.integer], probs: NDArray[np.floating], groups: Groups | None) -> Estimate | None:
    if probs.shape[1] <= 3:
        return None
    return proportion(in_top_k(labels, probs, 3), groups)
