"""The images of lessons: split, shuffled by the seed, digits where the data set is not available."""

from pathlib import Path

import numpy as np
import pytest

from tellapart.data.sources.builtin_datasets import is_available
from tellapart.lessons.images import Part, as_dataset, images
from tellapart.lessons.lesson import Settings


def test_digits_are_split_repeatably(monkeypatch: pytest.MonkeyPatch) -> None:
    data, again, other = (images("digits", Settings(seed=seed)) for seed in (1, 1, 2))
    assert (data.name, len(data.classes)) == ("digits", 10)
    assert len(data.train) + len(data.test) == 1797
    assert 0.35 < len(data.test) / 1797 < 0.45
    assert np.array_equal(data.train.images, again.train.images)
    assert not np.array_equal(data.train.labels[:50], other.train.labels[:50])
    assert data.train.pixels.shape == (len(data.train), 64)
    assert data.train.pixels.dtype == np.float32
    assert (data.train.pixels.min(), data.train.pixels.max()) == (0, 1)


def test_small_experiments_and_absent_data_sets_use_digits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
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
