"""Selective classification: the reject option, with which a classifier answers "I don't know".

An image is accepted when its confidence, the probability of its likeliest class, reaches the threshold. A threshold
chosen and measured on the same images looks a little too good; measure it on other images.
Source: Geifman & El-Yaniv, Selective Classification for Deep Neural Networks (2017).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DatasetError, RecipeError, did_you_mean
from tellapart.judging.clustered import proportion
from tellapart.judging.groups import Groups, Names
from tellapart.judging.intervals import Estimate
from tellapart.judging.thresholds import Counts, Floats, cumulative_counts, midpoint_below

GOALS = ("accuracy", "coverage")


@dataclass(frozen=True, eq=False)
class CoverageCurve:
    """Accuracy over coverage: float64 (m,) each, from the most confident images alone to all of them.

    At `threshold`, the share `coverage` of the images is accepted, and of these the share `accuracy` is correct.
    """

    threshold: Floats
    coverage: Floats
    accuracy: Floats


@dataclass(frozen=True)
class RejectOption:
    """A threshold in [0, 1] below which the answer is "I don't know"; 0 accepts all images.

    `coverage` is the share of accepted images and `accuracy` the share of these that are correct, each with its
    interval, on the images that the threshold was chosen on; `goal` is such as "accuracy=0.97".
    """

    threshold: float
    coverage: Estimate
    accuracy: Estimate
    goal: str


def coverage_curve(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> CoverageCurve:
    """Compute coverage and accuracy at every distinct threshold, from labels, int (n,), and probs, float (n, k)."""
    values, accepted, correct = _cumulative_counts(labels, probs)
    return CoverageCurve(values, accepted / len(labels), correct / accepted)


def find_threshold(
    labels: NDArray[np.integer],
    probs: NDArray[np.floating],
    *,
    accuracy: float | None = None,
    coverage: float | None = None,
    groups: Names | None = None,
) -> RejectOption:
    """Find the threshold that accepts most images at the wanted accuracy, or fewest at the wanted coverage.

    Pass one of the two. Images of equal confidence are accepted together. The value of the accuracy reaches the goal,
    not the low end of its interval. With `groups`, a name for each image, the intervals are about other groups.
    Raises DatasetError when no threshold reaches the accuracy, RecipeError for a
    goal outside (0, 1].
    """
    name, share = _goal(accuracy, coverage)
    values, accepted, correct = _cumulative_counts(labels, probs)
    shares = correct / accepted if name == "accuracy" else accepted / len(labels)
    reached = np.flatnonzero(shares >= share)
    if not len(reached):
        raise DatasetError(_out_of_reach(share, shares, accepted / len(labels)))
    step = int(reached[-1] if name == "accuracy" else reached[0])
    named = None if groups is None else Groups.of(groups, len(labels))
    inside = probs.max(axis=1).astype(np.float64) >= values[step]
    right = (probs.argmax(axis=1) == labels)[inside]
    return RejectOption(
        threshold=midpoint_below(values, step),
        coverage=proportion(inside, named),
        accuracy=proportion(right, None if named is None else named.take(inside)),
        goal=f"{name}={share}",
    )


def is_accepted(probs: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Find the images whose confidence reaches the threshold: bool (n,)."""
    # In float64: NumPy would otherwise round the threshold to the dtype of the probabilities.
    accepted: NDArray[np.bool_] = probs.max(axis=1).astype(np.float64) >= threshold
    return accepted


def parse_goal(text: str) -> dict[str, float]:
    """Parse "accuracy=0.97" or "coverage=0.9" into the keyword argument of `find_threshold`. Raises RecipeError."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise RecipeError(f"the goal is {text!r}, expected a name and a share, such as accuracy=0.97 or coverage=0.9")
    if name not in GOALS:
        raise RecipeError(f"images cannot be rejected for {name!r}: {did_you_mean(name, GOALS)}")
    try:
        share = float(value)
    except ValueError as error:
        raise RecipeError(f"the wanted {name} is {value!r}, expected a share such as 0.97") from error
    return {name: _checked(name, share)}


def _goal(accuracy: float | None, coverage: float | None) -> tuple[str, float]:
    if accuracy is not None and coverage is None:
        return "accuracy", _checked("accuracy", accuracy)
    if coverage is not None and accuracy is None:
        return "coverage", _checked("coverage", coverage)
    raise RecipeError(
        f"the wanted accuracy is {accuracy} and the wanted coverage {coverage}, expected one of the two: "
        "the other then follows from the images"
    )


def _checked(name: str, share: float) -> float:
    if 0 < share <= 1:
        return share
    hint = f": {share:g} % is {share / 100:g}" if 1 < share <= 100 else ""
    raise RecipeError(f"the wanted {name} is {share:g}, expected a share above 0 and up to 1{hint}")


def _cumulative_counts(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> tuple[Floats, Counts, Counts]:
    return cumulative_counts(probs.max(axis=1), probs.argmax(axis=1) == labels)


def _out_of_reach(share: float, accuracy: Floats, coverage: Floats) -> str:
    best = len(accuracy) - 1 - int(accuracy[::-1].argmax())  # of equals the one that accepts most
    return (
        f"no threshold makes {share:.4g} of the accepted images correct: the best is {accuracy[best]:.4f}, for the "
        f"most confident {coverage[best]:.1%} of the images. Ask for less, or train a better classifier"
    )
