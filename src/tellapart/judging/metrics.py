"""Metrics of predicted probabilities, as plain numbers. Inputs are not checked here; `judge` checks them."""

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.confusion import Numbers, class_counts
from tellapart.judging.per_class import mean_f1

BLOCK_NUMBERS = 2**22  # probabilities that are converted at a time: 32 MB
MIN_PROB = np.finfo(np.float64).eps  # the least probability log_loss sees, as in scikit-learn: 36 nats at most
BINS = 15  # of Guo et al.


def row_blocks(probs: NDArray[np.floating]) -> list[slice]:
    """Divide the rows of probabilities, (n, k), so that what is computed of a block at a time takes little memory."""
    rows = max(1, BLOCK_NUMBERS // max(probs.shape[1], 1))
    return [slice(start, start + rows) for start in range(0, len(probs), rows)]


def accuracy(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> float:
    """Compute the share, in [0, 1], of images whose most probable class (the first among equals) is the true one."""
    return float(np.mean(probs.argmax(axis=1) == labels))


def top_k_accuracy(labels: NDArray[np.integer], probs: NDArray[np.floating], k: int) -> float:
    """Measure how often, in [0, 1], the true class is among the k most probable; see `in_top_k`."""
    return float(np.mean(in_top_k(labels, probs, k)))


def in_top_k(labels: NDArray[np.integer], probs: NDArray[np.floating], k: int) -> NDArray[np.bool_]:
    """Find the images whose true class is among their k most probable: bool (n,).

    Of equal probabilities the first class ranks first, so that k = 1 is accuracy.
    """
    in_top = np.empty(len(labels), np.bool_)
    for rows in row_blocks(probs):
        true_probs = np.take_along_axis(probs[rows], labels[rows, np.newaxis], axis=1)
        earlier = np.arange(probs.shape[1]) < labels[rows, np.newaxis]
        ahead = (probs[rows] > true_probs) | ((probs[rows] == true_probs) & earlier)
        in_top[rows] = np.count_nonzero(ahead, axis=1) < k
    return in_top


def macro_f1(confusion: Numbers) -> NDArray[np.float64]:
    """Average F1 over the classes that have images: float64 (...), in [0, 1]; see `per_class.mean_f1`.

    `confusion` is (..., k, k), rows true.
    """
    return mean_f1(class_counts(confusion))


def log_losses(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the logarithmic loss of each image in nats: float64 (n,), in [0, 36.05]."""
    true_probs = probs[np.arange(len(labels)), labels].astype(np.float64)
    losses: NDArray[np.float64] = np.abs(np.log(np.clip(true_probs, MIN_PROB, 1.0)))  # not -log, which makes -0.0 of 1
    return losses


def log_loss(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> float:
    """Average the logarithmic losses, in nats, of probabilities clipped to 2.2e-16 or more; 0 is perfect."""
    return float(log_losses(labels, probs).mean())


def brier_scores(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the Brier score of each image: float64 (n,), in [0, 2], or in [0, 1] for two classes.

    The squared distance of the probabilities from the one-hot true class; for two classes half of it, which is the
    square for the positive class alone, as in scikit-learn. Source: Brier (1950).
    """
    scores = np.empty(len(labels), np.float64)
    for rows in row_blocks(probs):
        errors = probs[rows].astype(np.float64)
        errors[np.arange(len(errors)), labels[rows]] -= 1
        scores[rows] = np.square(errors).sum(axis=1)
    return scores / 2 if probs.shape[1] == 2 else scores


def brier(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> float:
    """Average the Brier scores; 0 is perfect. See `brier_scores`."""
    return float(brier_scores(labels, probs).mean())


def confidence_gaps(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute correctness, 0 or 1, minus confidence for each image: float64 (n,), in [-1, 1]."""
    correct = probs.argmax(axis=1) == labels
    gaps: NDArray[np.float64] = correct - probs.max(axis=1).astype(np.float64)
    return gaps


def confidence_bins(probs: NDArray[np.floating], bins: int = BINS) -> NDArray[np.int64]:
    """Sort images by confidence into bins of equal width ((b / bins, (b + 1) / bins]): int64 (n,) in [0, bins)."""
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    indices: NDArray[np.int64] = np.searchsorted(edges, probs.max(axis=1).astype(np.float64)).astype(np.int64)
    return indices


def ece(labels: NDArray[np.integer], probs: NDArray[np.floating], bins: int = BINS) -> float:
    """Compute the expected calibration error, in [0, 1]: the difference of confidence and accuracy, bin by bin.

    The mean over images of | accuracy - mean confidence | of their bin; 0 is perfect. Chance alone makes it larger
    than 0 for a calibrated classifier, the more so the fewer images there are.
    Source: Guo et al., On Calibration of Modern Neural Networks (2017), 15 bins of equal width.
    """
    sums = np.bincount(confidence_bins(probs, bins), confidence_gaps(labels, probs), minlength=bins)
    return float(np.abs(sums).sum() / len(labels))
