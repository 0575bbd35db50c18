"""Occlusion maps: the loss when a region is covered."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.compile import compile_bundle
from tellapart.explaining.occlusion import PATCHES, Occlusion

from .conftest import Squares


class Bright:
    """A classifier of 3 classes whose probability is the maximum brightness of the top row."""

    batch = 4

    def run(self, batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
        """Predict each batch."""
        for batch in batches:
            assert len(batch) <= self.batch
            share = batch[:, 0].max(axis=(1, 2)) / 255
            yield np.stack([share, (1 - share) / 2, (1 - share) / 2], axis=1).astype(np.float32)


def test_the_decisive_region_is_the_hottest_and_the_image_is_not_modified() -> None:
    image = np.zeros((18, 36, 1), np.uint8)
    image[0, 30] = 250
    before = image.copy()
    heat = Occlusion(Bright())(image, 0)
    rows, columns = heat.shape
    assert (rows, columns) == (round(PATCHES / 2), PATCHES)
    assert heat.argmax() == 7  # of the first row
    assert heat[2:].max() == 0
    assert Occlusion(Bright())(image, 1)[0, 7] < 0  # covering it favours another class
    np.testing.assert_array_equal(image, before)


def test_the_hottest_region_is_in_the_corner_of_the_square(bundle: Bundle, shown: Squares) -> None:
    occlusion = Occlusion(compile_bundle(bundle, batch=8))
    assert (
        shown.hit_rate([occlusion(image, label) for image, label in zip(shown.images, shown.labels, strict=True)])
        >= 0.9
    )


@pytest.mark.parametrize(("height", "width", "cells"), [(8, 8, (8, 8)), (1, 1, (1, 1)), (3, 300, (1, 9))])
def test_images_of_any_shape_have_a_grid(height: int, width: int, cells: tuple[int, int]) -> None:
    heat = Occlusion(Bright())(np.full((height, width, 3), 9, np.uint8), 0)
    assert heat.shape == cells
    assert np.isfinite(heat).all()
