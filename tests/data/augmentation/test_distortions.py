"""What an augmentation does to images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tellapart.data.augmentation.augmentation import KINDS, Augmentation
from tellapart.data.augmentation.distortions import OPERATIONS, distort
from tellapart.data.augmentation.random_draws import COLUMNS, Draws, draw_for_rows
from tellapart.data.decoding.conversion import ImageArray

Batch = NDArray[np.uint8]
SPECS = [kind.example for kind in KINDS.values()]
SHAPES = st.tuples(st.integers(0, 4), st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3]))
EVERYTHING = (
    "flip=both,rotate=180,shift=0.5,shear=60,zoom=0.5,brightness=1,contrast=1,erase=0.9,crop=0.1,randaugment=5:30"
)


def draws(count: int, seed: int = 0) -> Draws:
    return draw_for_rows(seed, 0, np.arange(count))


def noise(*shape: int, low: int = 0, high: int = 256) -> Batch:
    return np.random.default_rng(1).integers(low, high, shape, dtype=np.uint8)


@settings(deadline=None)
@given(arrays(np.uint8, SHAPES), st.sampled_from([*SPECS, EVERYTHING]), st.integers(0, 2**31))
def test_images_keep_their_shape_and_type_and_the_originals_stay(images: Batch, spec: str, seed: int) -> None:
    before = images.copy()
    result = distort(images, Augmentation.parse(spec), draws(len(images), seed))
    assert result.shape == images.shape
    assert result.dtype == np.uint8
    assert not np.shares_memory(result, images)
    np.testing.assert_array_equal(images, before)
    again = distort(images, Augmentation.parse(spec), draws(len(images), seed))
    np.testing.assert_array_equal(result, again)


def test_nothing_asked_for_changes_nothing() -> None:
    images = noise(5, 7, 9, 3)
    np.testing.assert_array_equal(distort(images, Augmentation(), draws(5)), images)


@pytest.mark.parametrize("name", ["rotate", "shift", "shear", "zoom", "brightness", "contrast"])
def test_a_range_of_next_to_nothing_changes_next_to_nothing(name: str) -> None:
    images = noise(20, 9, 9, 3)
    result = distort(images, Augmentation.parse(f"{name}=1e-6"), draws(20))
    assert np.abs(result.astype(int) - images).max() <= 1


@pytest.mark.parametrize(("spec", "axes"), [("flip", {(), (1,)}), ("flip=vertical", {(), (0,)})])
def test_a_flip_is_an_exact_mirror_image_of_one_image_in_two(spec: str, axes: set[tuple[int, ...]]) -> None:
    images = noise(200, 5, 6, 3)
    result = distort(images, Augmentation.parse(spec), draws(200))
    mirrored = [np.array_equal(one, np.flip(own, max(axes))) for one, own in zip(result, images, strict=True)]
    as_it_was = [np.array_equal(one, own) for one, own in zip(result, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, as_it_was, strict=True))
    assert 70 < sum(mirrored) < 130


def test_both_flips_are_drawn_apart() -> None:
    image = noise(1, 5, 6, 1)[0]
    result = distort(np.stack([image] * 100), Augmentation(flip="both"), draws(100))
    ways = [image, image[:, ::-1], image[::-1], image[::-1, ::-1]]
    counts = [sum(np.array_equal(one, way) for one in result) for way in ways]
    assert sum(counts) == 100
    assert min(counts) > 10


def test_an_angle_is_the_same_whether_or_not_there_is_more_to_do() -> None:
    images = noise(30, 9, 9, 3)
    alone = distort(images, Augmentation.parse("rotate=30"), draws(30))
    lit = distort(images, Augmentation.parse("rotate=30,erase=0.1"), draws(30))
    assert sum(np.array_equal(a, b) for a, b in zip(alone, lit, strict=True)) >= 8  # those without a rectangle


def test_a_moved_image_has_no_black_corners() -> None:
    images = noise(50, 20, 20, 3, low=100)
    spec = "rotate=180,shift=0.5,shear=60,zoom=0.5,crop=0.3"
    assert distort(images, Augmentation.parse(spec), draws(50)).min() >= 100


def test_a_shift_is_a_share_of_each_side_either_way() -> None:
    dot = np.zeros((400, 41, 81, 1), np.uint8)
    dot[:, 19:22, 39:42] = 255
    moved = distort(dot, Augmentation.parse("shift=0.2"), draws(400))[..., 0]
    weights = moved / moved.sum(axis=(1, 2), keepdims=True)
    down, right = (weights.sum(2) @ np.arange(41)) - 20, (weights.sum(1) @ np.arange(81)) - 40
    assert (down.min(), down.max()) == (pytest.approx(-8.2, abs=0.4), pytest.approx(8.2, abs=0.4))
    assert (right.min(), right.max()) == (pytest.approx(-16.2, abs=0.6), pytest.approx(16.2, abs=0.6))


def test_a_window_lies_within_the_image() -> None:
    ramp = np.broadcast_to(np.arange(100, dtype=np.uint8)[:, np.newaxis, np.newaxis], (300, 100, 100, 1))
    result = distort(ramp, Augmentation.parse("crop=0.5"), draws(300))[:, :, 0, 0].astype(int)
    assert (np.diff(result, axis=1) >= 0).all()  # nowhere mirrored
    spans = result[:, -1] - result[:, 0]
    assert spans.min() == pytest.approx(50, abs=2)
    assert spans.max() == pytest.approx(99, abs=2)
    assert result[:, 0].max() > 30


def test_brightness_and_contrast_stay_in_their_ranges() -> None:
    images = noise(300, 8, 8, 3, low=60, high=140)
    mean = images.mean(axis=(1, 2, 3))
    brighter = distort(images, Augmentation.parse("brightness=0.3"), draws(300)).mean(axis=(1, 2, 3)) / mean
    assert (brighter.min(), brighter.max()) == (pytest.approx(0.7, abs=0.02), pytest.approx(1.3, abs=0.02))
    result = distort(images, Augmentation.parse("contrast=0.5"), draws(300))
    sharper = result.std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    assert (sharper.min(), sharper.max()) == (pytest.approx(0.5, abs=0.02), pytest.approx(1.5, abs=0.02))
    np.testing.assert_allclose(result.mean(axis=(1, 2, 3)), mean, atol=1)


def test_a_rectangle_of_the_mean_colour_is_erased_in_every_second_image() -> None:
    images = noise(400, 30, 40, 3)
    result = distort(images, Augmentation.parse("erase=0.2"), draws(400))
    changed = (result != images).any(axis=3)
    assert 150 < changed.any(axis=(1, 2)).sum() < 250
    shares = changed.mean(axis=(1, 2))[changed.any(axis=(1, 2))]
    assert 0.01 < shares.min() < 0.04
    assert 0.17 < shares.max() < 0.23
    for image, own, where in zip(result, images, changed, strict=True):
        if where.any():
            rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
            block = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            np.testing.assert_array_equal(block, np.broadcast_to(np.rint(own.mean(axis=(0, 1))), block.shape))


@pytest.mark.parametrize("spec", [*SPECS, EVERYTHING])
def test_a_image_is_the_same_alone_and_among_others(spec: str) -> None:
    images, all_draws = noise(12, 10, 8, 3), draws(12)
    together = distort(images, Augmentation.parse(spec), all_draws)
    for row in range(12):
        part = slice(row, row + 1)
        alone = distort(images[part], Augmentation.parse(spec), all_draws.part(part))
        np.testing.assert_array_equal(alone[0], together[row])


IMAGE = np.random.default_rng(0).integers(20, 200, (24, 32, 3), dtype=np.uint8)


def done(names: list[str], *, strength: int = 30, sign: float = 0.9, image: ImageArray = IMAGE) -> ImageArray:
    """An image after these operations."""
    values = np.full((1, len(COLUMNS)), 0.5)
    for number, name in enumerate(names):
        values[0, COLUMNS[f"operation_{number}"]] = (OPERATIONS.index(name) + 0.5) / len(OPERATIONS)
        values[0, COLUMNS[f"sign_{number}"]] = sign
    asked = Augmentation(randaugment=len(names), strength=strength)
    result: ImageArray = distort(image[np.newaxis], asked, Draws(values))[0]
    return result


def test_there_are_the_14_of_the_paper() -> None:
    assert len(OPERATIONS) == len(set(OPERATIONS)) == 14


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_changes_a_image_or_says_it_does_not(name: str, channels: int) -> None:
    image = IMAGE[:, :, :channels]
    changed = not np.array_equal(done([name], image=image), image)
    assert changed is (name != "identity" and (name, channels) != ("color", 1))


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in ("identity", "autocontrast", "equalize")])
def test_more_strength_changes_more(name: str) -> None:
    ramp = np.repeat(np.arange(64, 192, 2, dtype=np.uint8), 64 * 3).reshape(64, 64, 3)
    image = ramp // 2 + ramp.transpose(1, 0, 2) // 2
    image[::8] //= 2
    image[:, :, 1] //= 2
    weak, strong = (np.abs(done([name], strength=s, image=image).astype(int) - image).mean() for s in (3, 30))
    assert weak < strong


@pytest.mark.parametrize("name", ["rotate", "shear_x", "shear_y", "shift_x", "shift_y", "color", "brightness"])
def test_either_sign_is_drawn(name: str) -> None:
    assert not np.array_equal(done([name], sign=0.1), done([name], sign=0.9))


def test_the_strongest_is_that_of_autoaugment() -> None:
    np.testing.assert_array_equal(done(["solarize"]), 255 - IMAGE)
    posterized = np.asarray(ImageOps.posterize(Image.fromarray(IMAGE), 4))
    np.testing.assert_array_equal(done(["posterize"]), posterized)
    assert done(["brightness"], sign=0.1).mean() == pytest.approx(0.1 * IMAGE.mean(), abs=1)


def test_what_changes_values_is_done_in_the_order_drawn() -> None:
    solarized_first = done(["solarize", "brightness"], strength=15)
    assert not np.array_equal(solarized_first, done(["brightness", "solarize"], strength=15))
    np.testing.assert_array_equal(
        solarized_first, done(["brightness"], strength=15, image=done(["solarize"], strength=15))
    )


def test_what_moves_pixels_leaves_no_black_corners() -> None:
    assert done(["rotate", "shift_x", "shear_y", "rotate"]).min() >= 20
