"""Backbones of lessons: Xception and photos where both are available, otherwise a small network."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.dataset import Dataset
from tellapart.lessons.backbones import case_of, outputs, photos, resized, some_photos, timed
from tellapart.lessons.images import Part
from tellapart.lessons.lesson import Settings


class Means:
    """A runner that returns the brightness of each image."""

    batch = 4

    def run(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Yield the means."""
        for batch in batches:
            assert len(batch) <= self.batch
            yield batch.mean(axis=(1, 2), dtype=np.float32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create photos of two classes, and weights, where lessons look for them."""
    for split in ("train", "test"):
        for label, colour in enumerate(((200, 30, 30), (30, 30, 200))):
            folder = tmp_path / "clothing" / split / f"class-{label}"
            folder.mkdir(parents=True)
            for number in range(4):
                Image.new("RGB", (40 + number, 30), colour).save(folder / f"{number}.png")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "xception.weights.h5").touch()
    monkeypatch.setenv("TELLAPART_DATA", str(tmp_path))
    monkeypatch.setenv("TELLAPART_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path


def test_photos_are_used_where_they_and_the_weights_are_available(folder: Path) -> None:
    dataset = photos(Settings())
    assert isinstance(dataset, Dataset)
    assert dataset.classes == ("class-0", "class-1")
    assert photos(Settings(small=True)) is None
    (folder / "weights" / "xception.weights.h5").unlink()
    assert photos(Settings()) is None


@pytest.mark.parametrize("absent", ["TELLAPART_DATA", "TELLAPART_WEIGHTS"])
def test_without_photos_or_weights_there_are_none(folder: Path, monkeypatch: pytest.MonkeyPatch, absent: str) -> None:
    monkeypatch.delenv(absent)
    assert photos(Settings()) is None


def test_photos_are_sampled_by_the_seed_at_one_size(folder: Path) -> None:
    dataset = photos(Settings())
    assert dataset
    part, again, other = (some_photos(dataset, "train", 6, 16, Settings(seed=seed)) for seed in (1, 1, 2))
    assert part.images.shape == (6, 16, 16, 3)
    assert np.array_equal(part.images, again.images)
    assert not np.array_equal(part.labels, other.labels)
    assert (part.images[:, :, :, 0].mean(axis=(1, 2)) > 100).tolist() == (part.labels == 0).tolist()


def test_a_runner_gets_images_in_its_batches() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (10, 8, 8, 1), dtype=np.uint8)
    means = x.mean(axis=(1, 2))
    assert np.allclose(outputs(Means(), x), means)
    out, seconds = timed(Means(), x, repeats=2)
    assert np.allclose(out, means)
    assert 0 < seconds < 1


def test_resized_images_keep_their_labels_and_their_brightness() -> None:
    part = Part(np.full((2, 8, 8, 1), 77, np.uint8), np.array([1, 0], np.int32))
    small = resized(part, 4)
    assert small.images.shape == (2, 4, 4, 1)
    assert np.all(small.images == 77)
    assert small.labels is part.labels


def test_a_small_backbone_is_trained_on_other_classes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path))
    case = case_of(Settings(small=True, seed=3), side=150, photos_each=500, few=40)
    assert (case.data, len(case.learned)) == ("digits", 40)
    assert set(case.test.labels.tolist()) == {0, 1, 2, 3, 4}
    learned = case.before.partition(" of ")[2].split(", ")
    assert len(learned) == 5
    vectors = outputs(case.backbone.engine, case.learned.images)
    assert vectors.shape == (40, case.backbone.width)
    assert np.array_equal(vectors, outputs(case.backbone.engine, case.learned.images))
