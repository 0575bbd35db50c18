"""A moved thumbnail is recognised as itself, and another is not."""

import numpy as np
import pytest
from PIL import Image

from tellapart.checking.image_facts import Thumbnail
from tellapart.checking.registration import Values, coarse_residuals, coarse_thumbnails, fine_residuals

from .scenes import scene

FIRST, SECOND = np.array([0]), np.array([1])


def thumbnail(image: Image.Image, box: tuple[float, float, float, float] = (0, 0, 1, 1)) -> Thumbnail:
    """Squeeze a part of an image, in fractions of its sides."""
    sides = np.tile(image.size, 2)
    left, top, right, bottom = (np.array(box) * sides).tolist()
    return np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS, box=(left, top, right, bottom)))


def left(one: Thumbnail, other: Thumbnail, *, mirrored: bool = False) -> tuple[Values, Values]:
    turned = other[:, ::-1] if mirrored else other
    coarse = coarse_residuals(coarse_thumbnails(np.stack([one, other])), FIRST, SECOND, mirrored=mirrored)
    return coarse, fine_residuals(one[np.newaxis], turned[np.newaxis])


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0.03, 0.03, 0.97, 0.97), (0.04, 0, 1, 1), (0, 0, 1, 0.96)])
def test_little_is_left_of_a_moved_copy(box: tuple[float, float, float, float]) -> None:
    coarse, fine = left(thumbnail(scene(1)), thumbnail(scene(1), box))
    assert coarse.item() < 0.02
    assert fine.item() < 0.005


def test_much_is_left_of_an_unrelated_image() -> None:
    coarse, fine = left(thumbnail(scene(1)), thumbnail(scene(2)))
    assert coarse.item() > 0.5
    assert fine.item() > 0.5


def test_a_mirror_image_is_compared_mirrored() -> None:
    mirror = thumbnail(scene(1))[:, ::-1]
    assert left(thumbnail(scene(1)), mirror)[0].item() > 0.3
    assert max(left(thumbnail(scene(1)), mirror, mirrored=True)[0].item(), 0) < 1e-5


def test_moving_helps() -> None:
    whole, part = thumbnail(scene(1)), thumbnail(scene(1), (0.03, 0.03, 0.97, 0.97))
    a, b = (np.asarray(one, np.float64) - one.mean() for one in (whole, part))
    unmoved = np.square(a - b).mean() / np.sqrt(np.square(a).mean() * np.square(b).mean())
    assert fine_residuals(whole[np.newaxis], part[np.newaxis]).item() < unmoved / 10


def test_no_pairs_and_even_thumbnails_give_numbers() -> None:
    none = np.empty((0, 32, 32), np.uint8)
    assert fine_residuals(none, none).shape == (0,)
    even = np.full((2, 32, 32), 9, np.uint8)
    assert np.isfinite(fine_residuals(even, even)).all()
    assert np.isfinite(coarse_residuals(coarse_thumbnails(even), FIRST, SECOND, mirrored=False)).all()
    assert coarse_thumbnails(none).blocks.shape == (0, 64)
