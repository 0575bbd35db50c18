"""Bundles of every kind, made once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from tellapart import Bundle, Dataset, Recipe, train
from tellapart.data.pipeline import preprocessed
from tellapart.data.preprocessing import Preprocessing
from tellapart.exporting.runtimes import Images
from tellapart.models.networks import mirror_network
from tellapart.training.import_model import import_model

from .nursery import CLASSES, SIDE, bundle_of, layers, plain


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory, coloured: Callable[..., Path]) -> Dataset:
    """120 images that no bundle has seen."""
    return Dataset.open(coloured(tmp_path_factory.mktemp("strangers") / "new", each=40, seed=5))


@pytest.fixture(scope="session")
def pixels(strangers: Dataset) -> Images:
    """Some of them as a bundle's preprocessing leaves them."""
    some = preprocessed(strangers.splits["all"].images, Preprocessing(SIDE, SIDE, 3), range(0, 120, 10))
    return np.stack([one for one in some if isinstance(one, np.ndarray)])


@pytest.fixture(scope="session")
def kinds(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """One bundle of every kind."""
    folder = tmp_path_factory.mktemp("kinds")
    recipe = Recipe(features="pixels", size=SIDE, trees=10, precision="float32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
        runs = {
            name: train(Dataset.open(tiny), replace(recipe, model=name), out=folder / name)
            for name in ("knn", "logistic", "forest")
        }
    return {
        "network": bundle_of(plain(), folder / "network"),
        "mirrored": bundle_of(mirror_network(plain()), folder / "mirrored"),
        "adopted": _adopted(folder),
        **{name: run.bundle for name, run in runs.items()},
    }


def _adopted(folder: Path) -> Bundle:
    """A model from elsewhere: without a temperature, its softmax an activation."""
    numbers = keras.Input((SIDE, SIDE, 3))
    body = layers.GlobalAveragePooling2D()(numbers)
    answer = layers.Dense(3, activation="softmax", kernel_initializer="he_normal")(body)
    keras.Model(numbers, answer).save(folder / "theirs.keras")
    (folder / "names.txt").write_text("\n".join(CLASSES))
    return import_model(
        folder / "theirs.keras", classes=folder / "names.txt", preprocess="unit", out=folder / "adopted"
    )
