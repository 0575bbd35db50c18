"""What there is to train, for pictures of each kind."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.arrays import array_split
from tellapart.data.dataset import Dataset
from tellapart.data.splits import complete
from tellapart.models.catalogue import settled
from tellapart.recipe import Recipe
from tellapart.training.tasks import make_task, preprocessing_for


def arrays(channels: int, side: int = 8) -> Dataset:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (30, side, side, channels), dtype=np.uint8)
    return Dataset("noise", ("a", "b"), {"all": array_split(pictures, np.arange(30) % 2)})


@pytest.mark.parametrize(
    ("model", "weights", "channels", "expected"),
    [("mlp", "none", 1, 1), ("mlp", "none", 3, 3), ("mobilenet", "none", 1, 1), ("mobilenet", "imagenet", 1, 3)],
)
def test_grey_pictures_stay_grey_only_where_the_network_starts_from_scratch(
    model: str, weights: str, channels: int, expected: int
) -> None:
    recipe = settled(Recipe(model=model, weights=weights, size=32), own_size=None)
    assert preprocessing_for(arrays(channels), recipe).channels == expected


@pytest.mark.parametrize("model", ["mlp", "mobilenet"])
def test_a_network_from_scratch_can_be_made_for_grey_pictures(model: str, tmp_path: Path) -> None:
    dataset = complete(arrays(1, 32), validation=0.2, test=0.2, seed=0)
    recipe = settled(Recipe(model=model, weights="none", size=32), own_size=None)
    task = make_task(dataset, recipe, preprocessing_for(dataset, recipe), cache=tmp_path)
    assert task.product().output_shape == (None, 2)


def test_pictures_in_files_are_trained_in_colour(tiny: Path) -> None:
    recipe = settled(Recipe(model="mlp", size=20), own_size=None)
    assert preprocessing_for(Dataset.open(tiny), recipe).channels == 3


def test_unreadable_pictures_leave_the_split_together_with_their_labels(
    tmp_path: Path, coloured: Callable[..., Path]
) -> None:
    folder = coloured(tmp_path / "photos")
    for colour in ("blue", "red"):
        (folder / colour / "05.png").write_bytes(colour.encode())
    dataset = complete(Dataset.open(folder), validation=0, test=0, seed=0)
    recipe = settled(Recipe(model="mlp", size=20), own_size=None)
    task = make_task(dataset, recipe, preprocessing_for(dataset, recipe), cache=tmp_path / "cache")
    assert sorted(Path(one.path).parent.name for one in task.dataset.skipped) == ["blue", "red"]
    assert len(task.train) == len(task.train.inputs) == 34
    assert task.dataset.counts("train").tolist() == [11, 12, 11]
    means = np.asarray(task.train.inputs).reshape(34, -1, 3).mean(axis=1)
    assert [int(mean.argmax()) for mean in means] == [{0: 2, 1: 1, 2: 0}[int(label)] for label in task.train.labels]


def test_a_frozen_base_is_trained_from_its_features(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.models.networks import base_network
    from tellapart.training import tasks

    monkeypatch.setattr(tasks, "base_network", lambda name, size, _: base_network(name, size, "none"))
    dataset = complete(Dataset.open(tiny), validation=0.2, test=0.2, seed=0)
    recipe = settled(Recipe(model="mobilenet", size=32, precision="float32"), own_size=None)
    task = make_task(dataset, recipe, preprocessing_for(dataset, recipe), cache=tmp_path)
    assert task.train.inputs.shape == (len(dataset.splits["train"]), 1024)
    assert task.validation is not None
    assert task.network.count_params() == 1024 * 3 + 3
    product = task.product()
    assert (product.input_shape, product.output_shape) == ((None, 32, 32, 3), (None, 3))
