"""Images that belong to no class: their features are far from the means of all classes.

Distances are Euclidean, not Mahalanobis as in `models.outliers`, which is fitted on other images: here the outliers
are among the images themselves, and where they resemble each other, they would inflate the variance that hides them.
"""

import numpy as np
from numpy.typing import NDArray

from tellapart.checking.dataset_features import DatasetFeatures
from tellapart.checking.finding import Finding
from tellapart.checking.locations import row_at
from tellapart.checking.unit_vectors import Rows, directions
from tellapart.data.dataset import Dataset, Labels
from tellapart.text import counted

LIMIT = (
    2.3  # deviations above the median: 1 % of a normal distribution, 0.4 % of clean photos (benchmarks/label_errors.py)
)
MIN_IMAGES = 20  # with fewer, the usual distance is unknown
TO_DEVIATION = 1.4826  # times the median of the absolute differences, of a normal distribution
MIN_DISTANCE = 1e-12  # avoids the logarithm of 0
Floats = NDArray[np.float64]


def outlier_finding(dataset: Dataset, features: DatasetFeatures) -> list[Finding]:
    """Find the images that belong to no class, the farthest first."""
    excess = outlier_distances(features.rows, features.split.labels)
    outliers = [i for i in np.argsort(-excess, kind="stable").tolist() if excess[i] > LIMIT]
    if not outliers:
        return []
    rows = tuple(
        row_at(dataset, features.locations[i], detail=f"{excess[i]:.1f} deviations beyond the usual distance")
        for i in outliers
    )
    sentence = (
        f"{counted(len(outliers), 'image looks', 'images look')} like none of the classes: farther from the mean of "
        f"each than is usual, by {LIMIT} deviations or more."
    )
    advice = "Look at them, the farthest first, and mark those that show none of the classes."
    return [Finding("outlier", "warning", len(outliers), sentence, advice, rows)]


def outlier_distances(rows: Rows, labels: Labels) -> Floats:
    """Measure the distance of images to the nearest class, in deviations above the median: float64 (n,).

    `rows` are features, float32 (n, width). Logarithms of distances are nearly normal; the median and the median
    absolute deviation are robust to outliers. All are 0 where there are too few images.
    """
    if len(rows) < MIN_IMAGES:
        return np.zeros(len(rows))
    logarithms = np.log(np.maximum(_distances(rows, labels), MIN_DISTANCE))
    above = logarithms - np.median(logarithms)
    deviation = TO_DEVIATION * np.median(np.abs(above))
    return above / deviation if deviation > 0 else np.zeros(len(rows))


def _distances(rows: Rows, labels: Labels) -> Floats:
    """Return squared distances to the nearest class mean, computed without the image itself for its own class."""
    known, places = np.unique(labels, return_inverse=True)
    counts = np.bincount(places).astype(np.float64)
    sums, start = np.zeros((len(known), rows[:1].shape[1])), 0
    for part in directions(rows):
        np.add.at(sums, places[start : start + len(part)], part)
        start += len(part)
    means = sums / counts[:, np.newaxis]
    squares = [_squared(part.astype(np.float64), means) for part in directions(rows)]
    distances: Floats = np.concatenate(squares)
    others = counts[places] - 1
    own = distances[np.arange(len(labels)), places] * (counts[places] / np.maximum(others, 1)) ** 2
    distances[np.arange(len(labels)), places] = np.where(others > 0, own, np.inf)
    nearest: Floats = distances.min(axis=1)
    return np.where(np.isinf(nearest), MIN_DISTANCE, nearest)  # the only image of the only class


def _squared(vectors: Floats, means: Floats) -> Floats:
    """Squared distances of vectors (n, width) to means (classes, width): float64 (n, classes)."""
    lengths = (vectors**2).sum(axis=1)[:, np.newaxis] + (means**2).sum(axis=1)
    squares: Floats = np.maximum(lengths - 2 * vectors @ means.T, 0)
    return squares
