"""From labels and probabilities to an Evaluation. The edge of judging: inputs are checked here, once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DatasetError
from tellapart.judging.confusion import confusion
from tellapart.judging.intervals import Estimate, bootstrap_confusion, bootstrap_mean, wilson
from tellapart.judging.metrics import hits, losses, macro_f1

SUM_TOLERANCE = 1e-3  # rounding; a softmax in float32, as OpenVINO's always is, is within 1e-6


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a classifier is worth on `n` labelled pictures.

    `confusion` is int64 (k, k), rows true, columns predicted; `top_3` is there for more than 3 classes.
    """

    n: int
    accuracy: Estimate
    macro_f1: Estimate
    log_loss: Estimate
    top_3: Estimate | None
    confusion: NDArray[np.int64]
    classes: tuple[str, ...]

    def as_json(self, *, detailed: bool = False) -> dict[str, object]:
        """`{"n", "accuracy": {"value", "low", "high"}, ...}`; detailed adds `confusion` and `classes`."""
        facts: dict[str, object] = {"n": self.n}
        for name in ("accuracy", "macro_f1", "log_loss", "top_3"):
            estimate: Estimate | None = getattr(self, name)
            if estimate is not None:
                facts[name] = estimate.as_json()
        if detailed:
            facts |= {"confusion": self.confusion.tolist(), "classes": list(self.classes)}
        return facts


def judge(
    labels: NDArray[np.integer], probs: NDArray[np.floating], classes: tuple[str, ...], *, seed: int = 0
) -> Evaluation:
    """Judge probabilities, float (n, k), against labels, int (n,), with 95 % intervals.

    Wilson's for accuracy and top 3, a stratified bootstrap's for macro F1 and log-loss. The same seed gives
    the same intervals. Raises DatasetError when the arrays do not fit together or are no probabilities.
    """
    _check_labels(labels, len(classes))
    _check_probs(probs, (len(labels), len(classes)))
    counts = confusion(labels, probs.argmax(axis=1), len(classes))
    return Evaluation(
        n=len(labels),
        accuracy=wilson(int(np.trace(counts)), len(labels)),
        macro_f1=bootstrap_confusion(counts, macro_f1, rng=np.random.default_rng(seed)),
        log_loss=bootstrap_mean(losses(labels, probs), labels, rng=np.random.default_rng(seed)),
        top_3=_top_3(labels, probs),
        confusion=counts,
        classes=classes,
    )


def _top_3(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> Estimate | None:
    if probs.shape[1] <= 3:
        return None
    return wilson(int(np.count_nonzero(hits(labels, probs, 3))), len(labels))


def _check_labels(labels: NDArray[np.integer], classes: int) -> None:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DatasetError(
            f"labels have shape {labels.shape} and type {labels.dtype}, expected (n,) whole numbers: "
            "give each picture the index of its class"
        )
    if not len(labels):
        raise DatasetError("there are 0 labels, at least 1 is needed: nothing can be judged without a picture")
    if labels.min() < 0 or labels.max() >= classes:
        raise DatasetError(
            f"labels go from {labels.min()} to {labels.max()}, expected 0 to {classes - 1} for {classes} "
            "classes: use the class names that the labels were made with"
        )


def _check_probs(probs: NDArray[np.floating], shape: tuple[int, int]) -> None:
    if probs.shape != shape or not np.issubdtype(probs.dtype, np.floating):
        raise DatasetError(
            f"probabilities have shape {probs.shape} and type {probs.dtype}, expected {shape} floating-point "
            "numbers: one row for each label, one column for each class"
        )
    if not np.isfinite(probs).all():
        raise DatasetError(
            f"{np.count_nonzero(~np.isfinite(probs)):,} probabilities are infinite or not a number, expected "
            "numbers in [0, 1]: the network has diverged, train it with a lower learning rate"
        )
    if probs.min() < 0:
        raise DatasetError(f"the least probability is {probs.min():.4g}, expected 0 or more: apply softmax to logits")
    _check_sums(probs.sum(axis=1, dtype=np.float64))


def _check_sums(sums: NDArray[np.float64]) -> None:
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst] - 1) > SUM_TOLERANCE:
        raise DatasetError(
            f"the probabilities of picture {worst} add up to {sums[worst]:.4f}, expected 1 within "
            f"{SUM_TOLERANCE}: apply softmax to logits"
        )
