"""Augmented images, views and epochs."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.data.augmentation import augmented as module
from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.augmentation.augmented import AugmentedImages, augment, augment_rows
from tellapart.data.images import ArrayImages, FileImages, Images
from tellapart.data.preprocessing import Preprocessing
from tellapart.errors import ImageError
from tellapart.files import sha256

ASKED = Augmentation.parse("flip,rotate=30,shift=0.1,brightness=0.2,erase=0.2,randaugment=1")
PIXELS = np.random.default_rng(0).integers(0, 256, (50, 12, 12, 3), dtype=np.uint8)
IMAGES = ArrayImages(PIXELS[:5], tuple(f"{number:064x}" for number in range(5)))
SMALL = Preprocessing(8, 8, 3)


def test_the_generator_alone_decides_how_a_image_is_distorted() -> None:
    first, again, other = (augment(PIXELS[0], ASKED, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == PIXELS[0].shape
    assert first.dtype == np.uint8


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 49), max_size=12), st.sampled_from([1, 200, 200_000]))
def test_an_epochs_rows_do_not_depend_on_what_comes_together_or_in_which_thread(rows: list[int], at_once: int) -> None:
    whole = augment_rows(PIXELS, ASKED, 3, 4, np.arange(50))
    some = np.array(rows, dtype=np.intp)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_PIXELS", at_once)
        np.testing.assert_array_equal(augment_rows(PIXELS[some], ASKED, 3, 4, some), whole[some])


def test_seed_and_epoch_draw_again() -> None:
    rows = np.arange(50)
    first, seed, epoch = (augment_rows(PIXELS, ASKED, *key, rows) for key in ((0, 0), (1, 0), (0, 1)))
    for other in (seed, epoch):
        assert np.mean([np.array_equal(a, b) for a, b in zip(first, other, strict=True)]) < 0.1


def test_rows_may_come_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "pixels.npy", PIXELS)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    result = augment_rows(mapped, ASKED, 0, 0, np.arange(50))
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, augment_rows(PIXELS, ASKED, 0, 0, np.arange(50)))


def test_many_small_images_take_a_third_of_what_each_takes_alone() -> None:
    images, asked = np.zeros((5_000, 28, 28, 1), np.uint8), Augmentation.parse("rotate=10,shift=0.1")
    started = time.process_time()  # however busy the machine is
    augment_rows(images, asked, 0, 0, np.arange(5_000))
    together = time.process_time()
    for row, one in enumerate(images):
        augment(one, asked, np.random.default_rng((0, 0, row)))
    assert together - started < (time.process_time() - together) / 3


def test_there_are_views_of_all_images_one_view_after_the_other() -> None:
    views: Images = AugmentedImages(IMAGES, SMALL, ASKED, 3, 0)
    assert len(views) == len(views.digests) == len(set(views.digests)) == 15
    assert [views.name(i) for i in (1, 6)] == [f"{IMAGES.name(1)} (view {view})" for view in (1, 2)]
    assert {views.read(i).shape for i in range(15)} == {(8, 8, 3)}
    first, second = views.read(1), views.read(6)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(views.read(1), first)


def test_a_view_is_distorted_at_the_classifiers_size() -> None:
    views = AugmentedImages(IMAGES, SMALL, Augmentation(flip="horizontal"), 8, 0)
    fitted = SMALL(IMAGES.read(2))
    seen = {views.read(2 + 5 * view).tobytes() for view in range(8)}
    assert seen == {fitted.tobytes(), fitted[:, ::-1].tobytes()}


def test_some_of_the_views_are_the_same_views() -> None:
    views = AugmentedImages(IMAGES, SMALL, ASKED, 3, 0)
    some = views.take([14, 0, 7]).take([2, 0])
    assert len(some) == 2
    assert some.digests == (views.digests[7], views.digests[14])
    assert some.name(1) == views.name(14)
    np.testing.assert_array_equal(some.read(0), views.read(7))


def test_the_digest_of_a_view_is_of_all_that_decides_its_pixels() -> None:
    def digests(
        preprocessing: Preprocessing = SMALL, augmentation: Augmentation = ASKED, views: int = 2, seed: int = 0
    ) -> tuple[str, ...]:
        return AugmentedImages(IMAGES, preprocessing, augmentation, views, seed).digests

    others = [
        digests(preprocessing=Preprocessing(9, 9, 3)),
        digests(augmentation=Augmentation.parse("rotate=31")),
        digests(seed=1),
        IMAGES.digests,
    ]
    assert not any(set(digests()) & set(other) for other in others)
    assert digests(views=3)[:10] == digests()
    assert digests(augmentation=Augmentation.parse(f"{ASKED},mixup=0.2")) == digests()
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in digests())


def test_a_image_that_cannot_be_read_has_no_views(tmp_path: Path) -> None:
    Image.fromarray(PIXELS[0]).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"not an image")
    paths = tuple(str(tmp_path / name) for name in ("good.png", "bad.png", "gone.png"))
    known = (*(sha256(tmp_path / name) for name in ("good.png", "bad.png")), "c" * 64)
    views = AugmentedImages(FileImages(paths, known), SMALL, ASKED, 2, 0)
    assert views.read(3).shape == (8, 8, 3)
    for index, reason in ((4, "not an image"), (5, "cannot be read")):
        with pytest.raises(ImageError, match=reason):
            views.read(index)
