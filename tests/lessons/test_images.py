"""The images of lessons: divided, shuffled by the seed, digits where the wanted set is not here."""

from pathlib import Path

import numpy as np
import pytest

from tellapart.data.sources.builtin_datasets import is_available
from tellapart.lessons.images import Part, as_dataset, images
from tellapart.lessons.lesson import Settings


def test_digits_are_divided_and_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    one, again, other = (images("digits", Settings(seed=seed)) for seed in (1, 1, 2))
    assert (one.name, len(one.classes)) == ("digits", 10)
    assert len(one.train) + len(one.test) == 1797
    assert 0.35 < len(one.test) / 1797 < 0.45
    assert np.array_equal(one.train.images, again.train.images)
    assert not np.array_equal(one.train.labels[:50], other.train.labels[:50])
    assert one.train.pixels.shape == (len(one.train), 64)
    assert one.train.pixels.dtype == np.float32
    assert (one.train.pixels.min(), one.train.pixels.max()) == (0, 1)


def test_small_work_and_absent_sets_are_done_on_digits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert images("mnist", Settings(small=True)).name == "digits"
    monkeypatch.setenv("TELLAPART_DATA", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert is_available("digits")
    assert not is_available("mnist")
    assert images("mnist", Settings()).name == "digits"
    (tmp_path / "mnist.npz").touch()
    assert is_available("mnist")


def test_parts_become_a_data_set() -> None:
    part = Part(np.zeros((4, 3, 3, 1), np.uint8), np.array([0, 1, 0, 1], np.int32))
    dataset = as_dataset("mine", ("a", "b"), train=part, test=part.take(slice(2)))
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 4, "test": 2}
    assert part.take(np.array([1, 3])).labels.tolist() == [1, 1]
