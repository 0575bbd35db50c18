"""Bundles of every kind, made once per session."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from tellapart import Bundle, Dataset, Recipe, train
from tellapart.data.pipeline import preprocessed
from tellapart.data.preprocessing import Preprocessing
from tellapart.exporting.parity import Images
from tellapart.models.networks import mirror_network
from tellapart.training.import_model import import_model

from .bundle_fixtures import CLASSES, SIDE, layers, make_bundle, softmax_network


@pytest.fixture(scope="session")
def unseen_images(tmp_path_factory: pytest.TempPathFactory, coloured: Callable[..., Path]) -> Dataset:
    """120 images that no bundle has seen."""
    return Dataset.open(coloured(tmp_path_factory.mktemp("unseen_images") / "new", each=40, seed=5))


@pytest.fixture(scope="session")
def pixels(unseen_images: Dataset) -> Images:
    """Some of them, preprocessed."""
    images = preprocessed(unseen_images.splits["all"].images, Preprocessing(SIDE, SIDE, 3), range(0, 120, 10))
    return np.stack([image for image in images if isinstance(image, np.ndarray)])


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
        "network": make_bundle(softmax_network(), folder / "network"),
        "mirrored": make_bundle(mirror_network(softmax_network()), folder / "mirrored"),
        "imported": _imported(folder),
        **{name: run.bundle for name, run in runs.items()},
    }


def _imported(folder: Path) -> Bundle:
    """Import a foreign model, without a temperature and with softmax as an activation."""
    images = keras.Input((SIDE, SIDE, 3))
    body = layers.GlobalAveragePooling2D()(images)
    probs = layers.Dense(3, activation="softmax", kernel_initializer="he_normal")(body)
    keras.Model(images, probs).save(folder / "foreign.keras")
    (folder / "names.txt").write_text("\n".join(CLASSES))
    return import_model(
        folder / "foreign.keras",
        classes=folder / "names.txt",
        preprocess="unit",
        out=folder / "imported",
        fit="crop",
        resize="pillow-bicubic",
    )
