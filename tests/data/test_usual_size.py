"""The usual size is the median of images from the whole data set, without those that cannot be read."""

from pathlib import Path

import numpy as np
from PIL import Image

from tellapart import Dataset
from tellapart.data.usual_size import usual_size


def test_it_is_the_median_shorter_side_of_a_spread_sample(tmp_path: Path) -> None:
    for label, side in (("a", 10), ("b", 30), ("c", 90)):
        (tmp_path / label).mkdir()
        for number in range(4):
            pixels = np.full((side + 5, side, 3), number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / label / f"{number}.png")
    images = Dataset.open(tmp_path).splits["all"].images
    assert usual_size(images) == 30
    assert usual_size(images, 3) == 30  # one of each class, not three of the first
    for path in tmp_path.glob("[bc]/*.png"):
        path.write_bytes(b"no image")
    images = Dataset.open(tmp_path).splits["all"].images
    assert usual_size(images) == 10
    assert usual_size(images.take([])) == 0
