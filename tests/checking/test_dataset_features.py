"""Features are computed once and then read without Keras, whichever splits the images stand in."""

from pathlib import Path

import numpy as np
import pytest

from tellapart.checking import dataset_features
from tellapart.checking.dataset_features import features_by_digest
from tellapart.data.dataset import Dataset
from tellapart.data.sources.arrays import array_split


@pytest.fixture
def colours() -> Dataset:
    """Two splits of plain images, one of them in both, and groups in one."""
    pixels = np.zeros((6, 8, 8, 3), np.uint8)
    pixels[:, :, :, 0] = np.arange(0, 240, 40)[:, np.newaxis, np.newaxis]
    labels = np.array([0, 1, 0, 1], np.int32)
    test = array_split(pixels[2:], labels)
    train = array_split(pixels[:4], labels)
    return Dataset("colours", ("dark", "bright"), {"test": test, "train": train})


@pytest.mark.usefixtures("mean_mobilenet")
def test_features_are_computed_once_and_then_read_without_keras(
    colours: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = features_by_digest(colours, "mobilenet")
    assert len(found) == 6
    for split in colours.splits.values():
        for number, digest in enumerate(split.images.digests):
            expected = split.images.read(number).mean(axis=(0, 1)) / 255
            np.testing.assert_allclose(found[digest], expected, atol=0.01)
    monkeypatch.setattr(dataset_features, "load_keras", lambda: pytest.fail("Keras was loaded"))
    again = features_by_digest(colours, "mobilenet")
    assert {digest: row.tolist() for digest, row in again.items()} == {d: row.tolist() for d, row in found.items()}
    (tmp_path / "mobilenet.weights.h5").write_bytes(b"other weights")
    with pytest.raises(pytest.fail.Exception, match="Keras was loaded"):
        features_by_digest(colours, "mobilenet")


@pytest.mark.usefixtures("mean_mobilenet")
def test_images_stand_in_a_row_with_their_places_and_groups(colours: Dataset) -> None:
    train = colours.splits["train"]
    grouped = type(train)(train.images, train.labels, ("a", "a", "b", "b"))
    seen = dataset_features.dataset_features(
        Dataset(colours.name, colours.classes, {**colours.splits, "train": grouped}), "mobilenet"
    )
    assert [place.split for place in seen.locations] == ["train"] * 4 + ["test"] * 4
    assert [place.label for place in seen.locations] == seen.split.labels.tolist()
    assert seen.split.groups == ("a", "a", "b", "b", "", "", "", "")
    assert seen.rows[:].shape == (8, 3)
    np.testing.assert_array_equal(seen.rows[2:4], seen.rows[4:6])  # the copies
