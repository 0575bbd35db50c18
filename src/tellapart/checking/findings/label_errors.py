"""Find likely label errors: images whose class gets a low probability from heads fitted without them.

The heads are linear discriminants on the features of a frozen backbone, each fitted on four fifths of the images;
cleanlab selects the suspicious labels. All splits are examined together: a wrong label is wrong in any split, and
these heads are not kept.
"""

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.dataset_features import DatasetFeatures, dataset_features
from tellapart.checking.dataset_features import features_by_digest as features_by_digest
from tellapart.checking.finding import Finding, Row
from tellapart.checking.findings.outliers import outlier_finding
from tellapart.checking.locations import row_at
from tellapart.checking.unit_vectors import Rows, along_axes
from tellapart.data.dataset import Dataset, Labels, Split
from tellapart.data.splits.folds import folds
from tellapart.data.splits.grouping import Indices, assign_units
from tellapart.errors import require
from tellapart.judging.calibration import apply_temperature, fit_temperature
from tellapart.models.features.feature_cache import StoredRows
from tellapart.text import counted

FOLDS = 5
SHRINKAGE = 0.1  # of the covariance towards its mean variance; 0.03 and 0.3 find as many wrong labels
PRIOR_TEMPERATURE = 4.0  # roughly corrects the overconfidence of a discriminant; the rest is measured
Probs = NDArray[np.float64]


def feature_findings(dataset: Dataset, backbone: str) -> tuple[Finding, ...]:
    """Find likely label errors and outliers from the features of a backbone of the catalogue.

    Features that are not cached are computed, with progress. Raises RecipeError, WeightsError, MissingPackageError.
    """
    require("cleanlab", extra="quality")  # before the features, which may take minutes
    features = dataset_features(dataset, backbone)
    return (*label_error_findings(dataset, features), *outlier_finding(dataset, features))


def label_error_findings(dataset: Dataset, features: DatasetFeatures) -> list[Finding]:
    """Find the images whose label is likely wrong, the least probable first."""
    eligible = _eligible(dataset, features.split)
    split = features.split.take(eligible.tolist())
    rows = StoredRows(tuple(features.rows.positions[i] for i in eligible), features.rows.shape)
    known, labels = np.unique(split.labels, return_inverse=True)
    if len(known) < 2:
        return []
    probs = out_of_fold_probs(rows, labels.astype(np.int32), folds(split, FOLDS, 0, dataset.families))
    predicted = known[probs.argmax(axis=1)]
    table = tuple(
        _row(dataset, features, int(eligible[i]), int(predicted[i]), probs[i], int(labels[i]))
        for i in likely_label_errors(probs, labels).tolist()
    )
    if not table:
        return []
    sentence = (
        f"{counted(len(table), 'image has a label', 'images have labels')} that may be wrong: heads fitted on "
        f"other images predict another class."
    )
    advice = (
        "Look at them, the most likely errors first: move wrong ones to their class, and mark those that show several "
        "classes or none. In a data set with good labels, most of these are correct."
    )
    return [Finding("label-error", "warning", len(table), sentence, advice, table)]


def out_of_fold_probs(rows: Rows, labels: Labels, parts: tuple[Indices, ...], *, seed: int = 0) -> Probs:
    """Predict each image by a head fitted on the other folds: float64 (n, classes), calibrated by one temperature.

    `rows` are features, float32 (n, width); `labels` are int32 (n,) from 0, each present in several folds.
    """
    points = along_axes(rows, seed=seed).astype(np.float64)
    points /= points.std() or 1
    probs = np.zeros((len(labels), int(labels.max()) + 1))
    fitting = require("sklearn.discriminant_analysis", extra="train").LinearDiscriminantAnalysis
    for part in parts:
        others = np.setdiff1d(np.arange(len(labels)), part)
        head = fitting(solver="lsqr", shrinkage=SHRINKAGE).fit(points[others], labels[others])
        weights = np.exp(head.predict_log_proba(points[part]) / PRIOR_TEMPERATURE)
        probs[part] = weights / weights.sum(axis=1, keepdims=True)
    return apply_temperature(probs, fit_temperature(labels, probs))


def likely_label_errors(probs: Probs, labels: NDArray[np.integer]) -> Indices:
    """Select the labels, int (n,), that probabilities, float (n, classes), suggest are wrong: the least probable first.

    Their number is the estimate of confident learning. Source: Northcutt, Jiang and Chuang,
    Confident learning (2021).
    """
    find = require("cleanlab.filter", extra="quality").find_label_issues
    suspects: Indices = find(
        labels, probs, filter_by="low_self_confidence", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    errors: Indices = suspects[probs[suspects].argmax(axis=1) != labels[suspects]]
    return errors


def _eligible(dataset: Dataset, split: Split) -> Indices:
    """Return the images of classes with enough distinct images for every fold."""
    together = assign_units(split.images.digests, split.groups, dataset.families)
    pairs = np.unique(np.stack([split.labels, together], axis=1), axis=0)
    enough = np.flatnonzero(np.bincount(pairs[:, 0].astype(np.intp), minlength=len(dataset.classes)) >= FOLDS)
    return np.flatnonzero(np.isin(split.labels, enough))


def _row(dataset: Dataset, features: DatasetFeatures, index: int, predicted: int, probs: Probs, given: int) -> Row:
    detail = f"given {_percent(probs[given])}, suggested {_percent(probs.max())}"
    return row_at(dataset, features.locations[index], suggested=dataset.classes[predicted], detail=detail)


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.01 else "under 1 %"
