"""The first of each class come first."""

import numpy as np
import pytest

from tellapart.data.splits.round_robin import round_robin


@pytest.mark.parametrize(
    ("labels", "count", "chosen"),
    [
        ([0, 0, 0, 1, 1, 2], 10, [0, 3, 5, 1, 4, 2]),
        ([2, 1, 0, 0], 3, [2, 1, 0]),
        ([5, 5, 5], 2, [0, 1]),
        ([], 10, []),
        ([1], 0, []),
    ],
)
def test_examples_take_a_image_of_each_class_in_turn(labels: list[int], count: int, chosen: list[int]) -> None:
    assert round_robin(np.array(labels, dtype=np.int32))[:count].tolist() == chosen
