"""What a classifier's answers are worth, as plain numbers. Inputs are trusted: `judge` has checked them."""

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.confusion import Numbers, class_counts
from tellapart.judging.per_class import mean_f1

LEAST = np.finfo(np.float64).eps  # the least probability log_loss sees, as in scikit-learn: 36 nats at most
BINS = 15  # of Guo et al.


def accuracy(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> float:
    """Measure how often, in [0, 1], the most probable class (the first of equals) is the true one."""
    return float(np.mean(probs.argmax(axis=1) == labels))


def top_k(labels: NDArray[np.integer], probs: NDArray[np.floating], k: int) -> float:
    """Measure how often, in [0, 1], the true class is among the k most probable; see `hits`."""
    return float(np.mean(in_top_k(labels, probs, k)))


def in_top_k(labels: NDArray[np.integer], probs: NDArray[np.floating], k: int) -> NDArray[np.bool_]:
    """Tell whether each image's true class is among its k most probable: bool (n,).

    Among equals the first class comes first, so that k = 1 is accuracy.
    """
    own = np.take_along_axis(probs, labels[:, np.newaxis], axis=1)
    earlier = np.arange(probs.shape[1]) < labels[:, np.newaxis]
    ahead = (probs > own) | ((probs == own) & earlier)
    among: NDArray[np.bool_] = np.count_nonzero(ahead, axis=1) < k
    return among


def macro_f1(confusion: Numbers) -> NDArray[np.float64]:
    """Average F1 over the classes that have images: float64 (...), in [0, 1]; see `per_class.mean_f1`.

    `confusion` is (..., k, k), rows true.
    """
    return mean_f1(class_counts(confusion))


def log_losses(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the logarithmic loss of each image in nats: float64 (n,), in [0, 36.05]."""
    own = probs[np.arange(len(labels)), labels].astype(np.float64)
    each: NDArray[np.float64] = np.abs(np.log(np.clip(own, LEAST, 1.0)))  # not -log, which makes -0.0 of 1
    return each


def log_loss(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> float:
    """Average the logarithmic losses, in nats, of probabilities held at 2.2e-16 or more; 0 is perfect."""
    return float(log_losses(labels, probs).mean())


def brier_scores(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the Brier score of each image: float64 (n,), in [0, 2], or in [0, 1] for two classes.

    The squared distance of the probabilities from certainty of the true class; for two classes half of it, which
    is the square for the positive class alone, as is the custom and scikit-learn's way. Source: Brier (1950).
    """
    away = probs.astype(np.float64)
    away[np.arange(len(labels)), labels] -= 1
    each: NDArray[np.float64] = np.square(away).sum(axis=1)
    return each / 2 if probs.shape[1] == 2 else each


def brier(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> float:
    """Average the Brier scores; 0 is perfect. See `squares`."""
    return float(brier_scores(labels, probs).mean())


def confidence_gaps(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Measure each image's being right, 0 or 1, minus its top probability: float64 (n,), in [-1, 1]."""
    right = probs.argmax(axis=1) == labels
    each: NDArray[np.float64] = right - probs.max(axis=1).astype(np.float64)
    return each


def bins_of(probs: NDArray[np.floating], bins: int = BINS) -> NDArray[np.int64]:
    """Sort images by top probability into equal bins ((b / bins, (b + 1) / bins]): int64 (n,) in [0, bins)."""
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    each: NDArray[np.int64] = np.searchsorted(edges, probs.max(axis=1).astype(np.float64)).astype(np.int64)
    return each


def ece(labels: NDArray[np.integer], probs: NDArray[np.floating], bins: int = BINS) -> float:
    """Compute the expected calibration error, in [0, 1]: how far probability and accuracy differ, bin by bin.

    The mean over images of | accuracy - mean top probability | of their bin; 0 is perfect. Chance alone makes it
    larger than 0 for a calibrated classifier, the more so the fewer images there are.
    Source: Guo et al., On Calibration of Modern Neural Networks (2017), 15 bins of equal width.
    """
    sums = np.bincount(bins_of(probs, bins), confidence_gaps(labels, probs), minlength=bins)
    return float(np.abs(sums).sum() / len(labels))
