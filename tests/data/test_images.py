"""Mirror images, and sets of images in a row."""

import numpy as np

from tellapart.data.dataset import ArrayImages
from tellapart.data.images import ConcatImages, MirroredImages
from tellapart.data.sources.arrays import array_split


def images(count: int, seed: int) -> ArrayImages:
    array = np.random.default_rng(seed).integers(0, 256, (count, 5, 4, 3), dtype=np.uint8)
    made = array_split(array, np.zeros(count, np.int64)).images
    assert isinstance(made, ArrayImages)
    return made


def test_a_mirror_image_has_left_and_right_exchanged_and_a_hash_of_its_own() -> None:
    own = images(3, 0)
    mirrored = MirroredImages(own)
    np.testing.assert_array_equal(mirrored.read(1), own.array[1][:, ::-1])
    assert mirrored.name(2) == f"{own.name(2)} (mirrored)"
    assert len({*own.digests, *mirrored.digests}) == 6
    assert mirrored.take([2, 0]).digests == (mirrored.digests[2], mirrored.digests[0])


def test_sets_in_a_row_are_read_in_order_and_can_be_taken_from() -> None:
    one, other = images(3, 1), images(2, 2)
    row = ConcatImages((one, other))
    assert len(row) == 5
    assert row.digests == one.digests + other.digests
    for index, expected in enumerate([*one.array, *other.array]):
        np.testing.assert_array_equal(row.read(index), expected)
    some = row.take([4, 0, 3]).take([0, 2])
    assert some.digests == (row.digests[4], row.digests[3])
    assert [some.name(i) for i in range(2)] == [other.name(1), other.name(0)]
