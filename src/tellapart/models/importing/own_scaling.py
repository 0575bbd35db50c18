"""The scaling that a model does itself: what lies between its input and its first trained layer.

Models often begin with a Rescaling or Normalization layer, with arithmetic such as `x / 127.5 - 1`, or with a backbone
that has these inside. Scaled once more before, their images would be almost black.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import RecipeError
from tellapart.models.catalogue import Scaling

Values = NDArray[np.float64]
RANGES = {"inside": (0, 255), "unit": (0, 1), "tf": (-1, 1), "torch": (-2.2, 2.7), "caffe": (-124, 152)}
"""Least and largest value after each scaling."""


@dataclass(frozen=True)
class OwnScaling:
    """Steps in words, and together x * slope + offset for each channel; `reverses` RGB to BGR."""

    steps: tuple[str, ...] = ()
    slope: Values | float = 1.0
    offset: Values | float = 0.0
    reverses: bool = False

    def then(self, step: str, slope: Values | float, offset: Values | float) -> "OwnScaling":
        """Add a step x * slope + offset."""
        return OwnScaling((*self.steps, step), self.slope * slope, self.offset * slope + offset, self.reverses)

    def reversed(self, step: str) -> "OwnScaling":
        """Add a step that turns RGB into BGR."""
        slope, offset = (
            values[::-1] if isinstance(values, np.ndarray) else values for values in (self.slope, self.offset)
        )
        return OwnScaling((*self.steps, f"{step}: RGB to BGR"), slope, offset, reverses=True)

    def seen(self, scaling: Scaling) -> tuple[float, float]:
        """Return the least and largest value that the next layer sees after a scaling."""
        ends = np.array([end * np.asarray(self.slope) + self.offset for end in RANGES[scaling]])
        return float(ends.min()), float(ends.max())

    @property
    def suiting(self) -> list[Scaling]:
        """The scalings after which the next layer sees numbers of a usual size."""
        candidates: tuple[Scaling, ...] = ("inside", "unit", "tf")
        return [scaling for scaling in candidates if _is_usual(*self.seen(scaling))]


def _is_usual(low: float, high: float) -> bool:
    """Return True if networks are trained on such numbers: around 0 to 1, or 0 to 255 less a mean."""
    return (0.8 <= high - low <= 12 and low >= -6) or (200 <= high - low <= 300 and -200 <= low <= -50)


def require_scaled_once(
    own: OwnScaling, scaling: Scaling, *, named: bool = False, twice: bool = False
) -> tuple[Scaling, str | None]:
    """Return the scaling that a model with its own needs, and a sentence about it; None if it has none.

    `named` says that only the name of a backbone was given: its scaling is then left to the model. `twice` lets it be
    scaled once more all the same. Raises RecipeError.
    """
    if own.reverses and scaling == "caffe" and not (named or twice):
        raise RecipeError(f"the model turns RGB into BGR itself ({', '.join(own.steps)}): --preprocess none")
    if not own.steps:
        return scaling, None
    itself = f"the model scales its input itself ({', '.join(own.steps)})"
    suiting = own.suiting
    if twice or scaling in suiting or not suiting:
        low, high = own.seen(scaling)
        return scaling, f"{itself}: after --preprocess {_word(scaling)} its layers see {low:.3g} to {high:.3g}"
    if named and "inside" in suiting:
        return "inside", f"{itself}: nothing is scaled before"
    low, high = own.seen(scaling)
    raise RecipeError(
        f"{itself}: after --preprocess {_word(scaling)} its layers would see {low:.3g} to {high:.3g}. Use --preprocess "
        f"{' or '.join(map(_word, suiting))}; or --scale-twice, if it was trained on images that were scaled before"
    )


def _word(scaling: Scaling) -> str:
    return "none" if scaling == "inside" else scaling


def by_channel(numbers: object) -> Values | float | None:
    """Return a number, or one for each of three channels; None for anything else."""
    values = np.asarray(numbers, np.float64).ravel()
    if values.size == 1:
        return float(values[0])
    return values if values.size == 3 else None


def formula(slope: Values | float, offset: Values | float) -> str:
    """Return x * slope + offset in short, of three channels their mean."""
    factor, summand = float(np.mean(slope)), float(np.mean(offset))
    parts = ["" if factor == 1 else f" x {factor:.3g}", "" if summand == 0 else f" {summand:+.3g}"]
    return "".join(parts).strip()
