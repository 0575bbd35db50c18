"""Which classes are taken for which."""

import numpy as np
from numpy.typing import NDArray


def confusion(labels: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Count pictures by true class (row) and predicted class (column): int64 (classes, classes).

    `labels` and `predicted` are int (n,) in [0, classes).
    """
    cells = labels.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)
