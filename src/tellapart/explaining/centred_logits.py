"""Centred logits, the class scores that maps are made of, and maps rescaled to [0, 1]."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Heat = NDArray[np.float32]
"""A saliency map, float32 (rows, columns): the higher, the more a region contributes to the class."""

MIN_PROB = 1e-37  # lower probabilities are raised to it: a softmax in float32 goes down that far
MIN_VOTE_SHARE = 1e-3  # the same where neighbours or trees vote: most classes get no vote at all


def min_probability(model: object) -> float:
    """Return the probability that stands in for 0 for a model of the catalogue."""
    return MIN_VOTE_SHARE if model in ("knn", "forest") else MIN_PROB


def centred_logits(probabilities: NDArray[Any], *, min_prob: float = MIN_PROB) -> NDArray[np.float64]:
    """Compute logarithms of probabilities (n, classes) minus their mean over the classes: float64 (n, classes).

    After a softmax these are its logits minus their mean: the lead of a class over the average class.
    """
    return subtract_mean(np.log(np.maximum(probabilities.astype(np.float64), min_prob)))


def subtract_mean(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Subtract from logits (n, classes) their mean over the classes: float64 (n, classes)."""
    wide = logits.astype(np.float64)
    centred: NDArray[np.float64] = wide - wide.mean(axis=1, keepdims=True)
    return centred


def rescale(scores: NDArray[Any]) -> Heat:
    """Rescale scores of any range to [0, 1], the minimum to 0 and the maximum to 1; all 0 where all are equal."""
    low, high = float(scores.min()), float(scores.max())
    if not high - low > 0:  # also with a NaN
        return np.zeros(scores.shape, np.float32)
    heat: Heat = ((scores - low) / (high - low)).astype(np.float32)
    return heat
