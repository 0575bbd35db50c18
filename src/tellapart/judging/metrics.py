"""What a classifier's answers are worth, as plain numbers. Inputs are trusted: `judge` has checked them."""

import numpy as np
from numpy.typing import NDArray

LEAST = np.finfo(np.float64).eps  # the least probability log_loss sees, as in scikit-learn: 36 nats at most


def accuracy(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> float:
    """Measure how often, in [0, 1], the most probable class (the first of equals) is the true one."""
    return float(np.mean(probs.argmax(axis=1) == labels))


def top_k(labels: NDArray[np.integer], probs: NDArray[np.floating], k: int) -> float:
    """Measure how often, in [0, 1], the true class is among the k most probable; see `hits`."""
    return float(np.mean(hits(labels, probs, k)))


def hits(labels: NDArray[np.integer], probs: NDArray[np.floating], k: int) -> NDArray[np.bool_]:
    """Tell whether each picture's true class is among its k most probable: bool (n,).

    Among equals the first class comes first, so that k = 1 is accuracy.
    """
    own = np.take_along_axis(probs, labels[:, np.newaxis], axis=1)
    earlier = np.arange(probs.shape[1]) < labels[:, np.newaxis]
    ahead = (probs > own) | ((probs == own) & earlier)
    among: NDArray[np.bool_] = np.count_nonzero(ahead, axis=1) < k
    return among


def losses(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the logarithmic loss of each picture in nats: float64 (n,), in [0, 36.05]."""
    own = probs[np.arange(len(labels)), labels].astype(np.float64)
    each: NDArray[np.float64] = np.abs(np.log(np.clip(own, LEAST, 1.0)))  # not -log, which makes -0.0 of 1
    return each


def log_loss(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> float:
    """Average the logarithmic losses, in nats, of probabilities held at 2.2e-16 or more; 0 is perfect."""
    return float(losses(labels, probs).mean())


def macro_f1(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average F1 over the classes that have pictures: float64 (...), in [0, 1].

    `confusion` is int64 (..., k, k), rows true. A class without a picture is left out of the mean, as
    scikit-learn does with `labels=` the classes present; a picture taken for it still counts as missed.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    scores = 2 * right / np.maximum(true + predicted, 1)
    present = true > 0
    mean: NDArray[np.float64] = scores.sum(axis=-1, where=present) / np.count_nonzero(present, axis=-1)
    return mean
