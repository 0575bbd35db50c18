"""Training and validation images merged into one split."""

from pathlib import Path

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.splits.merge_splits import with_validation_in_train
from tellapart.errors import DatasetError


def test_validation_images_join_those_for_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one, two, three = rng.integers(0, 256, (3, 6, 8, 8), np.uint8)
    y = np.arange(6) % 2
    np.savez(tmp_path / "one.npz", x_train=one, x_validation=two, x_test=three, y_train=y, y_validation=y, y_test=y)
    joined = with_validation_in_train(Dataset.open(tmp_path / "one.npz"))
    assert {name: len(split) for name, split in joined.splits.items()} == {"train": 12, "test": 6}
    train = joined.splits["train"]
    assert np.array_equal(train.images.read(7)[..., 0], two[1])
    assert train.labels.tolist() == [0, 1] * 6
    assert len(set(train.images.digests)) == 12


def test_images_of_unlike_sizes_cannot_be_joined(tmp_path: Path) -> None:
    small, large = np.zeros((2, 8, 8), np.uint8), np.zeros((2, 9, 9), np.uint8)
    y = np.arange(2)
    np.savez(tmp_path / "two.npz", x_train=small, x_validation=large, y_train=y, y_validation=y)
    with pytest.raises(DatasetError, match="unlike"):
        with_validation_in_train(Dataset.open(tmp_path / "two.npz"))
