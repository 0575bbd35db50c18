"""Images whose label is likely wrong: heads that never saw them give their class hardly any probability.

The heads are linear discriminants on a frozen base's features, each fitted on four fifths of the images; which
images are doubtful is settled by cleanlab. All splits are looked at together: a wrong label is wrong wherever it
stands, and no head of these is kept.
"""

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.dataset_features import Seen, features_of
from tellapart.checking.dataset_features import features_by_digest as features_by_digest  # the other use of features
from tellapart.checking.finding import Finding, Row
from tellapart.checking.findings.outliers import outlier_finding
from tellapart.checking.locations import row_at
from tellapart.checking.unit_vectors import Rows, along_axes
from tellapart.checking.words import counted
from tellapart.data.dataset import Dataset, Labels, Split
from tellapart.data.splits.folds import folds
from tellapart.data.splits.grouping import Indices, units
from tellapart.errors import require
from tellapart.judging.calibration import apply_temperature, fit_temperature
from tellapart.models.features.feature_cache import StoredRows

FOLDS = 5
SHRINKAGE = 0.1  # of the spreads towards their mean; with 0.03 and 0.3 as many wrong labels are found
WARMTH = 4.0  # by which a discriminant is too sure of itself, about; the rest is measured
Probs = NDArray[np.float64]


def findings_from_features(dataset: Dataset, base: str) -> tuple[Finding, ...]:
    """Find labels that may be wrong, and images that belong to no class, by what a base of the catalogue sees.

    Where its features are not in the cache they are computed, with progress. Raises RecipeError, WeightsError,
    MissingPackageError.
    """
    require("cleanlab", extra="quality")  # before the features, which may take minutes
    seen = features_of(dataset, base)
    return (*label_finding(dataset, seen), *outlier_finding(dataset, seen))


def label_finding(dataset: Dataset, seen: Seen) -> list[Finding]:
    """A finding with the images whose label is likely wrong, the least probable first; none where there are none."""
    judged = _judgeable(dataset, seen.split)
    split = seen.split.take(judged.tolist())
    rows = StoredRows(tuple(seen.rows.places[i] for i in judged), seen.rows.shape)
    known, labels = np.unique(split.labels, return_inverse=True)
    if len(known) < 2:
        return []
    probs = probabilities(rows, labels.astype(np.int32), folds(split, FOLDS, 0, dataset.families))
    found = doubtful(probs, labels).tolist()
    best = known[probs.argmax(axis=1)]
    table = tuple(_row(dataset, seen, int(judged[i]), int(best[i]), probs[i], int(labels[i])) for i in found)
    if not table:
        return []
    sentence = (
        f"{counted(len(table), 'image has a label', 'images have labels')} that may be wrong: heads fitted on "
        f"other images take them for another class."
    )
    advice = (
        "Look at them, the likeliest first: put those that are wrong under their class, and mark those that show "
        "several classes or none. Where labels are good, most of these are right."
    )
    return [Finding("label-error", "warning", len(table), sentence, advice, table)]


def probabilities(rows: Rows, labels: Labels, parts: tuple[Indices, ...], *, seed: int = 0) -> Probs:
    """What a head that was fitted on the other folds says of each image: float64 (n, classes).

    `rows` are features float32 (n, width), `labels` int32 (n,) from 0, each with images in several folds. The
    probabilities are calibrated, by one temperature.
    """
    points = along_axes(rows, seed=seed).astype(np.float64)
    points /= points.std() or 1
    probs = np.zeros((len(labels), int(labels.max()) + 1))
    fitting = require("sklearn.discriminant_analysis", extra="train").LinearDiscriminantAnalysis
    for part in parts:
        others = np.setdiff1d(np.arange(len(labels)), part)
        head = fitting(solver="lsqr", shrinkage=SHRINKAGE).fit(points[others], labels[others])
        weights = np.exp(head.predict_log_proba(points[part]) / WARMTH)
        probs[part] = weights / weights.sum(axis=1, keepdims=True)
    return apply_temperature(probs, fit_temperature(labels, probs))


def doubtful(probs: Probs, labels: NDArray[np.integer]) -> Indices:
    """Which labels, int (n,), are likely wrong by probabilities float (n, classes): the least probable first.

    As many as confident learning counts that a head takes for another class. Source: Northcutt, Jiang and Chuang,
    Confident learning (2021).
    """
    find = require("cleanlab.filter", extra="quality").find_label_issues
    found: Indices = find(
        labels, probs, filter_by="low_self_confidence", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    likely: Indices = found[probs[found].argmax(axis=1) != labels[found]]
    return likely


def _judgeable(dataset: Dataset, split: Split) -> Indices:
    """The images of classes that every fold can have a part of: a class of two or three says nothing of itself."""
    together = units(split.images.digests, split.groups, dataset.families)
    pairs = np.unique(np.stack([split.labels, together], axis=1), axis=0)
    enough = np.flatnonzero(np.bincount(pairs[:, 0].astype(np.intp), minlength=len(dataset.classes)) >= FOLDS)
    return np.flatnonzero(np.isin(split.labels, enough))


def _row(dataset: Dataset, seen: Seen, place: int, best: int, probs: Probs, given: int) -> Row:
    detail = f"given {_percent(probs[given])}, suggested {_percent(probs.max())}"
    return row_at(dataset, seen.places[place], suggested=dataset.classes[best], detail=detail)


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.01 else "under 1 %"
