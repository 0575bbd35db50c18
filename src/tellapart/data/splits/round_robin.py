"""Round-robin order over the classes, so that any first few images cover them evenly."""

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Labels


def round_robin(labels: Labels) -> NDArray[np.intp]:
    """Order images so that the first of each class come first, then the second of each: int (n,) from int32 (n,)."""
    by_class = np.argsort(labels, kind="stable")
    ordered = labels[by_class]
    before = np.arange(len(labels)) - np.searchsorted(ordered, ordered)  # how many of its class come before each
    return by_class[np.argsort(before, kind="stable")]
