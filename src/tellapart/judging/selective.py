"""'I don't know': below which probability a classifier should not answer, and what that costs.

An image is accepted when the probability of its likeliest class reaches the threshold. Choosing a threshold and
measuring it on the same images is a little too hopeful; other images tell what it is worth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DatasetError, RecipeError, did_you_mean
from tellapart.judging.intervals import Estimate, wilson
from tellapart.judging.thresholds import Counts, Floats, between, steps

GOALS = ("accuracy", "coverage")


@dataclass(frozen=True, eq=False)
class CoverageCurve:
    """What accepting more brings: float64 (m,) each, from the surest images alone to all of them.

    At `threshold`, the share `coverage` of the images is accepted, and of these the share `accuracy` is right.
    """

    threshold: Floats
    coverage: Floats
    accuracy: Floats


@dataclass(frozen=True)
class Reject:
    """Answer "I don't know" below `threshold`, in [0, 1]; 0 accepts all. Shares are of the images it was chosen on.

    `coverage` is how many images are accepted and `accuracy` how many of these are right, each with its interval;
    `wanted` is the goal, such as "accuracy=0.97".
    """

    threshold: float
    coverage: Estimate
    accuracy: Estimate
    wanted: str


def coverage_curve(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> CoverageCurve:
    """Trace coverage and accuracy over every threshold that labels, int (n,), and probs, float (n, k), can tell."""
    values, taken, right = _steps(labels, probs)
    return CoverageCurve(values, taken / len(labels), right / taken)


def threshold_for(
    labels: NDArray[np.integer],
    probs: NDArray[np.floating],
    *,
    accuracy: float | None = None,
    coverage: float | None = None,
) -> Reject:
    """Find the threshold that accepts most with the wanted accuracy, or least with the wanted coverage; one of the two.

    Images that are equally sure are accepted together. The accuracy is reached on these images, not by the low end
    of its interval: look at it. Raises DatasetError when no threshold reaches the accuracy, RecipeError for a goal
    outside (0, 1].
    """
    name, share = _goal(accuracy, coverage)
    values, taken, right = _steps(labels, probs)
    found = right / taken if name == "accuracy" else taken / len(labels)
    reached = np.flatnonzero(found >= share)
    if not len(reached):
        raise DatasetError(_out_of_reach(share, found, taken / len(labels)))
    step = int(reached[-1] if name == "accuracy" else reached[0])
    return Reject(
        threshold=between(values, step),
        coverage=wilson(int(taken[step]), len(labels)),
        accuracy=wilson(int(right[step]), int(taken[step])),
        wanted=f"{name}={share}",
    )


def accepted(probs: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Tell which images are sure enough to be answered: bool (n,)."""
    # In float64: NumPy would otherwise round the threshold to the type of the probabilities.
    sure: NDArray[np.bool_] = probs.max(axis=1).astype(np.float64) >= threshold
    return sure


def wanted(text: str) -> dict[str, float]:
    """Read "accuracy=0.97" or "coverage=0.9" into the argument of `threshold_for`. Raises RecipeError."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise RecipeError(f"the goal is {text!r}, expected a name and a share, such as accuracy=0.97 or coverage=0.9")
    if name not in GOALS:
        raise RecipeError(f"nothing can be rejected for {name!r}: {did_you_mean(name, GOALS)}")
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


def _steps(labels: NDArray[np.integer], probs: NDArray[np.floating]) -> tuple[Floats, Counts, Counts]:
    return steps(probs.max(axis=1), probs.argmax(axis=1) == labels)


def _out_of_reach(share: float, found: Floats, coverage: Floats) -> str:
    best = len(found) - 1 - int(found[::-1].argmax())  # of equals the one that accepts most
    return (
        f"no threshold makes {share:.4g} of the accepted images right: the best is {found[best]:.4f}, "
        f"for the surest {coverage[best]:.1%} of the images. Ask for less, or train a better classifier"
    )
