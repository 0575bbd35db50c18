"""The figures that lessons draw: rows of pictures stand where their names are, each as light as it can be."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.lessons.drawing import picture_rows, tiles


def test_rows_of_pictures_are_named_at_their_middle_and_padded() -> None:
    rows: dict[str, NDArray[Any]] = {
        "two": np.full((2, 4, 3), 200, np.uint8),
        "one <b>": np.zeros((1, 4, 3), np.float32),
    }
    drawn = picture_rows("a fact", rows)
    values = np.array(drawn.data[0].z)
    assert values.shape == (2 * 6, 2 * 5)
    assert (values[1:5, 1:4] == 1).all()  # the largest number of a row is white
    assert (values[7:11, 1:4] == 0).all()  # a black picture stays black
    assert (values[6:, 5:] == 0.5).all()  # where a row has fewer
    assert list(drawn.layout.yaxis.tickvals) == [2.5, 8.5]
    assert list(drawn.layout.yaxis.ticktext) == ["two", "one &#60;b&#62;"]


def test_pictures_are_put_side_by_side_in_frames() -> None:
    pictures = np.arange(3 * 2 * 4).reshape(3, 2, 4)
    whole = tiles(pictures, 2)
    assert whole.shape == (2 * (2 + 2), 2 * (4 + 2))
    assert np.array_equal(whole[1:3, 1:5], pictures[0])
    assert np.array_equal(whole[1:3, 7:11], pictures[1])
    assert np.array_equal(whole[5:7, 1:5], pictures[2])
    assert whole[0].tolist() == [23] * 12
    assert (whole[4:, 6:] == 23).all()
