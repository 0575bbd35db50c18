"""Features as directions: scaled to length 1, as their length says little of what is seen, and few numbers of each."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import require
from tellapart.models.features.feature_cache import StoredRows, Values
from tellapart.models.outliers import unit_length

Rows = StoredRows | NDArray[np.float32]
"""Features float32 (n, width), in memory or on disk."""

AXES = 256  # with 512 as many wrong labels are found, in twice the time
LOOKED_AT = 10_000  # images at most: more hardly move the axes
AT_ONCE = 4096  # rows in memory: 32 MB of Xception's
ROUNDS = 2  # of subspace iteration


def directions(rows: Rows) -> Iterator[Values]:
    """The features scaled to length 1, some rows at a time."""
    for start in range(0, len(rows), AT_ONCE):
        yield unit_length(rows[start : start + AT_ONCE])


def along_axes(rows: Rows, *, seed: int = 0) -> Values:
    """Their coordinates along the axes in which directions spread most: float32 (n, at most 256).

    Labels have no part in it, so a head may be judged on the images that the axes were found with. Source: Halko,
    Martinsson and Tropp, Finding structure with randomness (2011).
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:LOOKED_AT])
    known = unit_length(rows[chosen])
    fitting = require("sklearn.decomposition", extra="train").PCA
    axes = fitting(min(AXES, *known.shape), svd_solver="randomized", iterated_power=ROUNDS, random_state=seed).fit(
        known
    )
    return np.concatenate([axes.transform(part) for part in directions(rows)]).astype(np.float32)
