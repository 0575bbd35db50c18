"""MixUp and CutMix."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tellapart.data.augmentation import mixing
from tellapart.data.augmentation.augmentation import Augmentation
from tellapart.data.augmentation.mixing import mix
from tellapart.errors import RecipeError

CLASSES = 5


def targets(count: int) -> NDArray[np.float32]:
    return np.eye(CLASSES, dtype=np.float32)[np.arange(count) % CLASSES]


def plain(count: int) -> NDArray[np.uint8]:
    """Images of one colour each, 50 times the number of their class."""
    return np.broadcast_to(targets(count).argmax(1).astype(np.uint8)[:, None, None, None] * 50, (count, 9, 11, 3))


def mixed(text: str, inputs: NDArray[Any], seed: int = 0) -> tuple[NDArray[Any], NDArray[np.float32]]:
    return mix(inputs, targets(len(inputs)), Augmentation.parse(text), np.random.default_rng(seed))


@pytest.mark.parametrize("text", ["mixup=1", "cutmix=1", "mixup=0.2,cutmix=0.5", "mixup=0.01,cutmix=0.01"])
@given(count=st.integers(0, 20), seed=st.integers(0, 2**31))
def test_a_label_is_mixed_as_its_image_is(text: str, count: int, seed: int) -> None:
    inputs = plain(count)
    images, labels = mixed(text, inputs, seed)
    assert images.shape == inputs.shape
    assert images.dtype == np.uint8
    assert labels.shape == (count, CLASSES)
    assert labels.dtype == np.float32
    np.testing.assert_allclose(labels.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), labels @ (50.0 * np.arange(CLASSES)), atol=0.51)
    again, labels_again = mixed(text, inputs, seed)
    np.testing.assert_array_equal(again, images)
    np.testing.assert_array_equal(labels_again, labels)


def test_nothing_asked_for_gives_back_what_came() -> None:
    inputs, labels = plain(4), targets(4)
    same, same_labels = mix(inputs, labels, Augmentation.parse("flip"), np.random.default_rng(0))
    assert same is inputs
    assert same_labels is labels


def test_features_are_blended_as_their_labels_are() -> None:
    features = (targets(40) @ np.random.default_rng(0).normal(size=(CLASSES, 7))).astype(np.float32)
    blended, labels = mixed("mixup=1", features)
    assert blended.dtype == np.float32
    expected = labels @ np.linalg.lstsq(targets(40), features, rcond=None)[0]
    np.testing.assert_allclose(blended, expected, atol=1e-5)


def test_a_large_batch_is_blended_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = mixed("mixup=1", plain(20))
    monkeypatch.setattr(mixing, "CHUNK_VALUES", 9 * 11 * 3 * 3)
    np.testing.assert_array_equal(mixed("mixup=1", plain(20))[0], whole)


def test_a_pasted_part_is_one_rectangle() -> None:
    for image in mixed("cutmix=1", plain(100))[0]:
        for value in np.unique(image):
            other = (image[:, :, 0] == value).astype(int)
            rows, columns = np.flatnonzero(other.any(1)), np.flatnonzero(other.any(0))
            if other[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all():
                break
        else:
            pytest.fail("neither part is a rectangle")


def test_a_smaller_alpha_leaves_more_as_it_was() -> None:
    weak, strong = (mixed(text, plain(2_000))[1].max(1).mean() for text in ("mixup=0.1", "mixup=5"))
    assert weak > 0.9
    assert strong < 0.8


def test_with_both_each_example_gets_one_of_them() -> None:
    images, labels = mixed("mixup=5,cutmix=1", plain(600))
    two = labels.max(1) < 0.95
    uniform = np.ptp(images.reshape(600, -1), axis=1) == 0
    assert 0.35 < uniform[two].mean() < 0.65  # one blended colour: MixUp


def test_cutmix_refuses_features() -> None:
    with pytest.raises(RecipeError, match=r"features of shape \(4, 7\): expected \(n, height.*Use mixup"):
        mixed("cutmix=1", np.zeros((4, 7), np.float32))
