"""The parameters of a bundle's network are counted without Keras."""

import shutil
from pathlib import Path

import keras
import pytest

from tellapart import Dataset, Recipe, train
from tellapart.bundles.bundle import Bundle
from tellapart.bundles.manifest import KERAS
from tellapart.bundles.parameters import bundle_bytes, count_parameters
from tellapart.errors import BundleError
from tellapart.training.run import Run


def test_the_count_is_that_of_keras_and_the_one_on_paper(trained: Run) -> None:
    network = keras.models.load_model(trained.bundle.folder / KERAS, compile=False)
    assert count_parameters(trained.bundle) == network.count_params() == 20 * 20 * 3 * 128 + 128 + 128 * 3 + 3


def test_the_bytes_are_those_of_all_files(trained: Run) -> None:
    assert bundle_bytes(trained.bundle) == sum(path.stat().st_size for path in trained.bundle.folder.iterdir()) > 1000


def test_an_estimator_has_no_number_of_parameters(tiny: Path, tmp_path: Path) -> None:
    run = train(Dataset.open(tiny), Recipe(model="knn", features="pixels", size=8), out=tmp_path / "run")
    assert count_parameters(run.bundle) is None


def test_a_file_that_is_no_archive_is_refused(shades: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(shades, tmp_path / "copy")
    with pytest.raises(BundleError, match=r"weights in .*model.keras cannot be read .*copy the bundle again"):
        count_parameters(Bundle.open(folder))
