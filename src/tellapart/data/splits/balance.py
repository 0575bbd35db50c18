"""Splits of whole groups that come as near to the wanted fractions, of all images and of each class, as groups allow.

The draw by position stays where it is near enough already. Otherwise single groups, and pairs of them, change sides,
the best change first, until none is better. Names of groups, contents and the seed decide, the order of files does not.
"""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]
Floats = NDArray[np.float64]

NEAR_ENOUGH = 0.005  # of all images: fractions then read as asked
MAX_STEPS = 1_000
MAX_SWAPPED = 400  # units of which pairs are tried
MIN_GAIN = 1e-9
MAX_CELLS = 20_000_000  # of units times classes: with more, single groups hardly matter


class Balance:
    """The state of the search, of units in the order of their positions. Lives for one draw.

    The distance is chi-square's, of each class, plus that of all images times the number of classes.
    """

    def __init__(self, labels: NDArray[np.integer], units: Indices, homes: Indices, fractions: Floats) -> None:
        classes, count = int(labels.max(initial=-1)) + 1, len(homes)
        self.homes, self.fractions = homes.copy(), fractions
        self.images = np.zeros((count, classes + 1))  # the last column is that of all classes
        np.add.at(self.images, (units, labels), 1.0)
        self.images[:, classes] = self.images.sum(axis=1)
        wanted = fractions[:, np.newaxis] * self.images.sum(axis=0)
        self.weights = 1 / np.maximum(wanted, 1.0)
        self.weights[:, classes] *= classes
        self.excess = np.stack([self.images[homes == home].sum(axis=0) for home in range(len(fractions))]) - wanted

    def search(self) -> Indices:
        """Return the split of each unit."""
        for _ in range(MAX_STEPS):
            if self._is_near_enough() or not (self._move() or self._swap()):
                break
        return self.homes

    def _is_near_enough(self) -> bool:
        """True if sizes are as wanted, and classes as even as a draw of single images would make them."""
        classes, excess = self.images.shape[1] - 1, self.excess
        by_class = float((np.square(excess) * self.weights)[:, :classes].sum())
        largest = float(np.abs(excess[:, classes]).max())
        return largest <= NEAR_ENOUGH * self.images[:, classes].sum() and by_class <= classes * (len(excess) - 1)

    def _costs(self, home: int) -> Floats:
        """The change of the distance by moving each unit to a split: float64 (units,)."""
        slopes = 2 * self.excess * self.weights
        apart, weights = slopes[home] - slopes[self.homes], self.weights[home] + self.weights[self.homes]
        costs: Floats = (self.images * (apart + self.images * weights)).sum(axis=1)
        return costs

    def _keeps_classes(self, changed: Indices, homes: Indices) -> bool:
        """True if no split loses its last image of a class, nor its last image, when units change their splits."""
        before = np.stack([self.images[self.homes == home].sum(axis=0) > 0 for home in range(len(self.fractions))])
        moved = self.homes.copy()
        moved[changed] = homes
        after = np.stack([self.images[moved == home].sum(axis=0) > 0 for home in range(len(self.fractions))])
        return bool((after >= before).all())

    def _move(self) -> bool:
        costs = np.stack([self._costs(home) for home in range(len(self.fractions))])
        costs[self.homes, np.arange(len(self.homes))] = 0.0
        for place in np.argsort(costs, axis=None, kind="stable"):
            home, unit = divmod(int(place), len(self.homes))
            if costs[home, unit] > -MIN_GAIN:
                return False
            if self._keeps_classes(np.array([unit]), np.array([home])):
                self._change(unit, home)
                return True
        return False

    def _swap(self) -> bool:
        if len(self.homes) > MAX_SWAPPED:
            return False
        candidates: list[tuple[float, int, int]] = []
        for home in range(len(self.fractions)):
            for other in range(home):
                candidates += self._swaps(home, other)
        for _, unit, partner in sorted(candidates):
            homes = self.homes[[partner, unit]]
            if self._keeps_classes(np.array([unit, partner]), homes):
                self._change(unit, int(homes[0]))
                self._change(partner, int(homes[1]))
                return True
        return False

    def _swaps(self, home: int, other: int) -> list[tuple[float, int, int]]:
        ours, theirs = np.flatnonzero(self.homes == home), np.flatnonzero(self.homes == other)
        both = 2 * (self.images[ours] * (self.weights[home] + self.weights[other])) @ self.images[theirs].T
        costs = self._costs(other)[ours][:, np.newaxis] + self._costs(home)[theirs] - both
        better = np.argwhere(costs < -MIN_GAIN)
        return [(float(costs[i, j]), int(ours[i]), int(theirs[j])) for i, j in better]

    def _change(self, unit: int, home: int) -> None:
        self.excess[self.homes[unit]] -= self.images[unit]
        self.excess[home] += self.images[unit]
        self.homes[unit] = home


def balanced_homes(
    labels: NDArray[np.integer], together: Indices, homes: Indices, positions: Floats, fractions: Floats
) -> Indices:
    """Return the split of each unit: int (units,), from the class and the unit of each image, and a first draw.

    `homes` and `positions` are those of each unit in the draw, `fractions` those wanted for each split.
    """
    if len(homes) * (int(labels.max(initial=-1)) + 2) > MAX_CELLS:
        return homes
    order = np.argsort(positions, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    balanced = np.empty_like(homes)
    balanced[order] = Balance(labels, rank[together], homes[order], fractions).search()
    return balanced
