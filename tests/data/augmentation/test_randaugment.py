"""The operations of RandAugment."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.augmentation.distortions import distort
from tellapart.data.augmentation.randaugment import OPERATIONS
from tellapart.data.augmentation.random_draws import COLUMNS, Draws
from tellapart.data.decode import ImageArray

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
