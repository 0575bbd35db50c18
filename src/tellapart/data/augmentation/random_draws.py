"""Random numbers for augmentation: a fixed row of named uniform draws for each image.

Each kind has its own draws, so an image is rotated by the same angle whether it is brightened or not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_OPERATIONS = 10  # of RandAugment on one image
NAMES = (
    *("flip", "flop", "rotate", "shift_y", "shift_x", "shear", "zoom", "crop", "crop_y", "crop_x"),
    *("brightness", "contrast", "erase", "erase_area", "erase_shape", "erase_y", "erase_x"),
    *(f"operation_{number}" for number in range(MAX_OPERATIONS)),
    *(f"sign_{number}" for number in range(MAX_OPERATIONS)),
)
COLUMNS = {name: column for column, name in enumerate(NAMES)}
Column = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Draws for n images, one in [0, 1) per name: float64 (n, len(NAMES))."""

    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def of(self, name: str) -> Column:
        """Return the draws of one name, float64 (n,) in [0, 1)."""
        column: Column = self.values[:, COLUMNS[name]]
        return column

    def between(self, name: str, low: float, high: float) -> Column:
        """Return the draws of one name, scaled to [low, high)."""
        return low + (high - low) * self.of(name)

    def part(self, rows: slice) -> "Draws":
        """Return the draws of some of the images."""
        return Draws(self.values[rows])


def draw(rng: np.random.Generator) -> Draws:
    """Draw for one image."""
    return Draws(rng.random((1, len(NAMES))))


def draw_for_rows(seed: int, epoch: int, rows: NDArray[np.integer]) -> Draws:
    """Draw for rows of a data set, by their indices: the draws of a row do not depend on the other rows.

    The values are SplitMix64's (Steele, Lea and Flood 2014), a function of a counter: a generator per row would cost
    more than distorting a small image.
    """
    start = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)
    counters = rows.astype(np.uint64)[:, np.newaxis] * np.uint64(len(NAMES)) + np.arange(1, len(NAMES) + 1, dtype="u8")
    bits = start + counters * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return Draws((bits >> np.uint64(11)) * 2.0**-53)
