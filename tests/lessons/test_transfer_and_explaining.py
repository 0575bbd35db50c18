"""Parts of lessons that no claim checks: crossings in words, marks, bits, slopes."""

import numpy as np
import pytest

from tellapart.lessons.explanations_that_lie import AWAY, CHOSEN, LEVEL, at_mark, brightness, marked
from tellapart.lessons.frozen_features import count_different
from tellapart.lessons.image_size_and_time import for_twice_the_side
from tellapart.lessons.images import Part, of_classes
from tellapart.lessons.transfer_against_scratch import crossing, few


@pytest.mark.parametrize(
    ("lead", "description"),
    [
        ([0.2, 0.1, -0.1, -0.2], "3 to 10"),
        ([0.2, -0.1, 0.1, -0.2], "10 to 30"),
        ([0.2, 0.1, 0.1, 0.1], "more than 30"),
        ([-0.1, -0.1, 0.0, -0.1], "fewer than 1"),
    ],
)
def test_the_crossing_of_lines_is_described_in_words(lead: list[float], description: str) -> None:
    assert crossing((1, 3, 10, 30), np.array(lead)) == description


def test_selected_classes_are_renumbered() -> None:
    part = Part(np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1), np.array([0, 7, 3, 7, 0, 5], np.int32))
    selected = of_classes(part, np.array([7, 0]))
    assert selected.labels.tolist() == [1, 0, 0, 1]
    assert selected.labels.dtype == np.int32
    assert selected.images.ravel().tolist() == [0, 1, 3, 4]


def test_few_draws_equally_many_images_of_each_class() -> None:
    labels = np.random.default_rng(0).integers(0, 5, 200).astype(np.int32)
    indices = few(Part(np.zeros((200, 1, 1, 1), np.uint8), labels), 7, np.random.default_rng(1))
    assert np.bincount(labels[indices]).tolist() == [7] * 5
    assert len(set(indices.tolist())) == 35


def test_numbers_that_differ_in_any_bit_are_counted() -> None:
    first = np.array([1.0, 2.0, np.nan, 0.0], np.float32)
    second = first.copy()
    assert count_different(first, second) == 0
    second[1] = np.nextafter(np.float32(2), np.float32(3))
    second[3] = -0.0
    assert count_different(first, second) == 2


def test_the_factor_for_twice_the_side() -> None:
    side = np.array([2.0, 4.0, 8.0, 16.0])
    assert for_twice_the_side(side, 3 * side**2) == pytest.approx(4)
    assert for_twice_the_side(side, 5 * side) == pytest.approx(2)


def test_each_class_is_marked_in_its_own_corner_or_another() -> None:
    part = Part(np.zeros((4, 16, 16, 1), np.uint8), np.arange(4, dtype=np.int32))
    right, wrong = marked(part, 0), marked(part, 1)
    assert [image[AWAY, AWAY, 0] for image in right.images] == [LEVEL, 0, 0, 0]
    assert [image[-1 - AWAY, AWAY, 0] for image in right.images] == [0, 0, LEVEL, 0]
    assert part.images.max() == 0
    heats = [image[:, :, 0].astype(np.float32) for image in right.images]
    assert {float(heat.max()) for heat in heats} == {LEVEL}
    assert at_mark(heats, part.labels) == 1
    assert at_mark([image[:, :, 0].astype(np.float32) for image in wrong.images], part.labels) == 0
    assert len(CHOSEN) == 4


def test_a_map_of_brightness_is_highest_where_the_image_is() -> None:
    image = np.zeros((28, 28, 1), np.uint8)
    image[2:5, 22:27] = 200
    cells = brightness(image)
    assert cells.shape == (4, 4)
    assert cells.argmax() == 3
    assert np.count_nonzero(cells) == 1
