"""What an image tells of itself, and which of it a copy shares."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from tellapart.checking.image_facts import EMPTY_THUMBNAIL, MIN_SIDE, THUMBNAIL_SIDE, examine_file, measure_facts
from tellapart.errors import ImageError

from .scenes import saved, scene


def bits(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def test_facts_of_a_photo() -> None:
    facts = examine_file(saved(scene(1), "JPEG"))
    assert (facts.format, facts.width, facts.height, facts.turned, facts.frames) == ("JPEG", 200, 160, False, 1)
    assert facts.small.shape == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    grey = np.asarray(scene(1).convert("L"))
    assert facts.spread == pytest.approx(grey.std(), abs=0.5)
    assert facts.colour == pytest.approx(np.asarray(scene(1)).mean(axis=(0, 1)), abs=1)
    assert 0 < facts.hash < 2**64


def test_a_turned_photo_is_seen_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = examine_file(saved(scene(1).transpose(Image.Transpose.ROTATE_270)))
    turned = examine_file(saved(scene(1), exif=exif))
    assert turned.turned
    assert not upright.turned
    assert (turned.width, turned.height) == (160, 200)
    assert turned.hash == upright.hash


def test_the_hash_is_kept_by_copies_and_by_nothing_else() -> None:
    facts = examine_file(saved(scene(1)))
    assert bits(facts.hash, examine_file(saved(scene(1).resize((120, 96)))).hash) <= 2
    assert bits(facts.hash, examine_file(saved(scene(1), "JPEG", quality=60)).hash) <= 2
    assert bits(facts.hash, examine_file(saved(scene(2))).hash) > 14


def test_mirrored_is_the_hash_of_the_mirror_image() -> None:
    facts, mirror = examine_file(saved(scene(1))), examine_file(saved(ImageOps.mirror(scene(1))))
    assert (facts.mirrored, facts.hash) == (mirror.hash, mirror.mirrored)
    assert bits(facts.hash, facts.mirrored) > 14


def test_a_blank_image_has_no_spread() -> None:
    assert measure_facts(np.full((80, 80, 3), 77, np.uint8)).spread == 0
    halves = np.zeros((80, 80, 1), np.uint8)
    halves[40:] = 255
    assert measure_facts(halves).spread == 127.5


def test_a_small_image_has_neither_hash_nor_thumbnail() -> None:
    facts = measure_facts(np.asarray(scene(1).resize((MIN_SIDE - 1, 200))))
    assert (facts.hash, facts.mirrored) == (0, 0)
    assert facts.small is EMPTY_THUMBNAIL
    assert facts.spread > 0
    assert measure_facts(np.asarray(scene(1).resize((MIN_SIDE, MIN_SIDE)))).hash != 0


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ImageError, match="empty"):
        measure_facts(np.empty((0, 5, 3), np.uint8))
    with pytest.raises(ImageError, match="not an image"):
        examine_file(b"hello")
    with pytest.raises(ImageError, match="cannot be decoded"):
        examine_file(saved(scene(1), "JPEG")[:-500])
