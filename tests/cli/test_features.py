"""`tellapart features`: what a network sees is kept, by any process."""

from pathlib import Path

import numpy as np
import pytest

from tellapart.checking import dataset_features

from .conftest import Said


@pytest.mark.usefixtures("mean_mobilenet")
def test_features_are_computed_once(said: Said, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = said("features", tiny, "--model", "mobilenet")
    assert (first.status, first.out.startswith("mobilenet features of 36 images, 0 unreadable: kept in ")) == (
        0,
        True,
    )
    monkeypatch.setattr(dataset_features, "load_keras", lambda: pytest.fail("Keras was loaded"))
    assert said("features", tiny, "--model", "mobilenet").out == first.out


@pytest.mark.usefixtures("mean_mobilenet")
def test_features_are_also_a_file(said: Said, tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "features.npz"
    assert (
        f"saved: {file}, 3 numbers for each image" in said("features", tiny, "--model", "mobilenet", "--save", file).out
    )
    with np.load(file, allow_pickle=False) as stored:
        assert stored["values"].shape == (36, 3)
    refused = said("features", tiny, "--model", "mobilenet", "--save", tmp_path / "features.txt")
    assert "features.txt ends in .txt; features are written as .npz or .csv" in refused.error


def test_what_is_no_network_with_weights_is_refused(said: Said, tiny: Path) -> None:
    assert said("features", tiny, "--model", "cnn").error.startswith("cnn has no pre-trained weights")
    assert "--workers is about a cluster" in said("features", tiny, "--model", "xception", "--workers", 2).error
