"""The usual size of a data set's images, from a few of them."""

import numpy as np

from tellapart.data.images import Images
from tellapart.errors import ImageError

SAMPLE = 50  # images that are read


def usual_size(images: Images, sample: int = SAMPLE) -> float:
    """Return the median shorter side of some images, evenly spread, in pixels; 0 where none can be read."""
    sides: list[int] = []
    for index in np.unique(np.linspace(0, len(images) - 1, min(sample, len(images)), dtype=int)).tolist():
        try:
            sides.append(min(images.read(index).shape[:2]))
        except ImageError:  # reported where all are read
            continue
    return float(np.median(sides)) if sides else 0.0
