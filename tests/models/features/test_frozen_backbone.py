"""A frozen backbone runs once per image, and never again while its features are in the cache."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.images import Images
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import Engine
from tellapart.models.features import frozen_backbone
from tellapart.models.features.feature_cache import FeatureCache
from tellapart.models.features.frozen_backbone import FrozenBackbone, compute_features

Counted = list[int]


@pytest.fixture(scope="module")
def backbone() -> FrozenBackbone:
    """A backbone that is quick to run: one convolution and its means."""
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.Conv2D(5, 3, name="conv")(x)
    network = keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))
    return FrozenBackbone("grid", network, Preprocessing(8, 8, 3), "float32")


@pytest.fixture
def images(tiny: Path) -> Images:
    return Dataset.open(tiny).splits["all"].images


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """How many images went through an engine, batch by batch."""
    counts: Counted = []
    run = Engine.run

    def counting(self: Engine, batches: object) -> object:
        return run(self, (counts.append(len(batch)) or batch for batch in batches))  # type: ignore[func-returns-value,attr-defined]

    monkeypatch.setattr(Engine, "run", counting)
    monkeypatch.setattr(Engine, "rate", lambda *_: 1.0)
    return counts


def test_features_are_those_of_keras_in_the_order_of_the_images(
    backbone: FrozenBackbone, images: Images, tmp_path: Path
) -> None:
    found = compute_features(backbone, images, cache=tmp_path, label="x")
    stacked = np.stack([backbone.preprocessing(images.read(i)) for i in range(len(images))])
    assert found.values.dtype == np.float32
    assert found.kept == tuple(range(36))
    np.testing.assert_allclose(found.values, backbone.network.predict_on_batch(stacked), atol=1e-5)


def test_a_second_run_computes_nothing_and_a_third_only_what_is_new(
    backbone: FrozenBackbone, images: Images, tmp_path: Path, counted: Counted
) -> None:
    some = images.take(range(0, 36, 2))
    first = compute_features(backbone, some, cache=tmp_path, label="x")
    assert sum(counted) == 18
    again = compute_features(backbone, some, cache=tmp_path, label="x")
    assert sum(counted) == 18
    np.testing.assert_array_equal(first.values, again.values)
    whole = compute_features(backbone, images, cache=tmp_path, label="x")
    assert sum(counted) == 36
    np.testing.assert_array_equal(whole.values[::2], first.values)


def test_an_image_that_occurs_twice_is_computed_once(
    backbone: FrozenBackbone, images: Images, tmp_path: Path, counted: Counted
) -> None:
    found = compute_features(backbone, images.take([3, 3, 5, 3]), cache=tmp_path, label="x")
    assert sum(counted) == 2
    np.testing.assert_array_equal(found.values[0], found.values[3])
    assert len(found.values) == 4


def test_an_unreadable_image_is_left_out_each_time_with_its_reason(
    backbone: FrozenBackbone, tmp_path: Path, coloured: Callable[..., Path]
) -> None:
    folder = coloured(tmp_path / "photos", each=3)
    (folder / "green" / "00a.png").write_bytes(b"no image at all")
    (folder / "green" / "00b.png").write_bytes(b"no image at all")
    unread = Dataset.open(folder).splits["all"].images
    for _ in range(2):
        found = compute_features(backbone, unread, cache=tmp_path / "cache", label="x")
        assert [Path(one.path).name for one in found.skipped] == ["00a.png", "00b.png"]
        assert found.kept == (0, 1, 2, 3, 6, 7, 8, 9, 10)
        assert len(found.values) == 9


def test_a_killed_run_loses_at_most_one_shard(
    backbone: FrozenBackbone, images: Images, tmp_path: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_backbone, "SHARD_IMAGES", 10)
    add = FeatureCache.add

    def killed_at_the_third(self: FeatureCache, *arguments: object) -> None:
        if len(self.rows) == 20:
            raise KeyboardInterrupt
        add(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(FeatureCache, "add", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        compute_features(backbone, images, cache=tmp_path, label="x")
    monkeypatch.setattr(FeatureCache, "add", add)
    counted.clear()
    assert len(compute_features(backbone, images, cache=tmp_path, label="x").values) == 36
    assert sum(counted) == 16


def test_a_shard_without_its_index_is_ignored(backbone: FrozenBackbone, images: Images, tmp_path: Path) -> None:
    compute_features(backbone, images, cache=tmp_path, label="x")
    (index,) = (tmp_path / "features" / backbone.key).glob("*.json")
    assert len(json.loads(index.read_text())) == 36
    index.unlink()
    assert not FeatureCache(index.parent).rows


def test_the_key_changes_with_everything_that_changes_the_features(backbone: FrozenBackbone) -> None:
    other = keras.models.clone_model(backbone.network)
    other.set_weights([array + 1e-6 for array in backbone.network.get_weights()])
    keys = {
        backbone.key,
        replace(backbone, preprocessing=Preprocessing(8, 8, 3, "pad")).key,
        replace(backbone, precision="bfloat16").key,
        replace(backbone, network=other).key,
        replace(backbone, name="another").key,
    }
    assert len(keys) == 5
    assert replace(backbone).key == backbone.key
