"""The figures of lessons: rows of images are aligned with their names and scaled to full brightness."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.lessons.drawing import image_rows, lines, marked, tiles


def test_rows_of_images_are_named_at_their_middle_and_padded() -> None:
    rows: dict[str, NDArray[Any]] = {
        "two": np.full((2, 4, 3), 200, np.uint8),
        "one <b>": np.zeros((1, 4, 3), np.float32),
    }
    drawn = image_rows("a fact", rows)
    values = np.array(drawn.data[0].z)
    assert values.shape == (2 * 6, 2 * 5, 3)
    assert (values[1:5, 1:4] == 255).all()  # the largest number of a row is white
    assert (values[7:11, 1:4] == 0).all()  # a black image stays black
    assert (values[6:, 5:] == 128).all()  # padding of the shorter row
    assert list(drawn.layout.yaxis.tickvals) == [2.5, 8.5]
    assert list(drawn.layout.yaxis.ticktext) == ["two", "one &#60;b&#62;"]


def test_rows_of_coloured_images_are_drawn_as_they_are() -> None:
    red = np.zeros((2, 4, 3, 3), np.uint8)
    red[..., 0] = 200
    values = np.array(image_rows("a fact", {"red": red, "grey": red[..., :1]}).data[0].z)
    assert values[1, 1].tolist() == values[1, 6].tolist() == [200, 0, 0]
    assert values[7, 1].tolist() == [200, 200, 200]


def test_marks_are_at_their_positions_on_any_axis() -> None:
    for kind, x in (("linear", 100.0), ("log", 2.0)):
        drawn = marked(lines("a fact", ("x", [1, 1000]), "y", {"y": [0, 1]}, across={"type": kind}), {"here": 100})
        assert (drawn.layout.shapes[0].x0, drawn.layout.annotations[-1].x) == (100, x)


def test_images_are_put_side_by_side_in_frames() -> None:
    images = np.arange(3 * 2 * 4).reshape(3, 2, 4)
    whole = tiles(images, 2)
    assert whole.shape == (2 * (2 + 2), 2 * (4 + 2))
    assert np.array_equal(whole[1:3, 1:5], images[0])
    assert np.array_equal(whole[1:3, 7:11], images[1])
    assert np.array_equal(whole[5:7, 1:5], images[2])
    assert whole[0].tolist() == [23] * 12
    assert (whole[4:, 6:] == 23).all()
