"""Chance: the balanced accuracy that predictions without any relation to the labels reach."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.intervals import QUANTILES

RESAMPLES, MIN_RESAMPLES = 1_000, 200
CHUNK_NUMBERS = 2**23  # drawn in all, for any number of images: about a second
ROUNDING = 1e-9


@dataclass(frozen=True)
class Chance:
    """A balanced accuracy, and the 95 % interval in which it would be by chance, all in [0, 1]."""

    balanced_accuracy: float
    low: float
    high: float

    @property
    def explains(self) -> bool:
        """True if chance is enough to explain the balanced accuracy."""
        return self.balanced_accuracy <= self.high + ROUNDING


def chance_interval(labels: NDArray[np.integer], predicted: NDArray[np.integer], *, seed: int = 0) -> Chance:
    """Compare labels and predictions, int (n,), with the same predictions given to the images at random.

    The classes are those that have images. The same seed gives the same interval. Source: the permutation test of
    Ojala & Garriga, Permutation tests for studying classifier performance (2010).
    """
    rng = np.random.default_rng(seed)
    resamples = int(np.clip(CHUNK_NUMBERS // len(labels), MIN_RESAMPLES, RESAMPLES))
    sizes = np.bincount(labels)
    weights = 1 / (np.maximum(sizes, 1) * np.count_nonzero(sizes))
    drawn = [_balanced_accuracy(rng.permutation(labels), predicted, weights) for _ in range(resamples)]
    low, high = np.quantile(drawn, QUANTILES)
    return Chance(_balanced_accuracy(labels, predicted, weights), float(low), float(high))


def _balanced_accuracy(
    labels: NDArray[np.integer], predicted: NDArray[np.integer], weights: NDArray[np.float64]
) -> float:
    """Return the mean recall; `weights` are, for each class, the share that one of its images has in it."""
    return float(weights[labels[labels == predicted]].sum())
