"""What speaks for a class, in a unit that adds up, and numbers brought to the range of an image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Heat = NDArray[np.float32]
"""float32 (rows, columns): the higher, the more that place speaks for the class."""

SMALLEST = 1e-37  # a probability below is taken as this much: a softmax in float32 reaches it
SMALLEST_SHARE = 1e-3  # the same where neighbours or trees vote, who give no vote at all to most classes


def smallest(model: object) -> float:
    """What counts as probability 0 for a model of the catalogue."""
    return SMALLEST_SHARE if model in ("knn", "forest") else SMALLEST


def centred_logits(probabilities: NDArray[Any], *, least: float = SMALLEST) -> NDArray[np.float64]:
    """Logarithms of probabilities (n, classes) against their mean over the classes: float64 (n, classes).

    After a softmax these are its logits less their mean: what a class has over the average class.
    """
    return centred(np.log(np.maximum(probabilities.astype(np.float64), least)))


def centred(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Logits (n, classes) less their mean over the classes: the same evidence, float64 (n, classes)."""
    wide = logits.astype(np.float64)
    less: NDArray[np.float64] = wide - wide.mean(axis=1, keepdims=True)
    return less


def in_range(scores: NDArray[Any]) -> Heat:
    """From scores of any range to [0, 1], the least being 0 and the most 1; all 0 where all are alike."""
    low, high = float(scores.min()), float(scores.max())
    if not high - low > 0:  # also where a score is no number
        return np.zeros(scores.shape, np.float32)
    heat: Heat = ((scores - low) / (high - low)).astype(np.float32)
    return heat
