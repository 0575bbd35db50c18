"""The number of parameters is Keras's own, counted without Keras."""

from pathlib import Path

import keras

from tellapart import Dataset, Recipe, train
from tellapart.bundles.manifest import KERAS
from tellapart.training.model_size import bundle_bytes, count_parameters
from tellapart.training.run import Run


def test_parameters_are_those_that_keras_counts(trained: Run) -> None:
    network = keras.models.load_model(trained.bundle.folder / KERAS, compile=False)
    assert count_parameters(trained.bundle) == network.count_params() == 20 * 20 * 3 * 128 + 128 + 128 * 3 + 3


def test_the_bytes_are_those_of_all_files(trained: Run) -> None:
    assert bundle_bytes(trained.bundle) == sum(path.stat().st_size for path in trained.bundle.folder.iterdir()) > 1000


def test_an_estimator_has_no_number_of_parameters(tiny: Path, tmp_path: Path) -> None:
    run = train(Dataset.open(tiny), Recipe(model="knn", features="pixels", size=8), out=tmp_path / "run")
    assert count_parameters(run.bundle) is None
