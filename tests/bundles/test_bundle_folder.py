"""A run stands for its bundle; whatever else is named in place of a bundle gets a sentence that says what to do."""

import os
import shutil
from pathlib import Path

import pytest

from tellapart import Bundle
from tellapart.bundles.bundle_folder import bundle_folder
from tellapart.errors import BundleError
from tellapart.training.run import Run


def test_a_run_stands_for_its_bundle(trained: Run) -> None:
    assert bundle_folder(trained.folder) == trained.folder / "bundle"
    assert Bundle.open(str(trained.folder)).digest == trained.bundle.digest
    assert bundle_folder(trained.bundle.folder) == trained.bundle.folder


@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        ("cat.JPG", ["is an image, not a bundle", "the bundle first, then the images"]),
        ("clip.mp4", ["is a video, not a bundle"]),
        ("model.keras", ["is a Keras model", "tellapart import", "--classes NAMES.txt"]),
        ("my model.h5", ["is a Keras model", "model.h5' --classes"]),
        ("model.onnx", ["in another format", "tellapart import"]),
        ("labels.csv", ["is a data set", "then the labelled images"]),
        ("doc.pdf", ["is a file, not a bundle"]),
    ],
)
def test_a_file_in_place_of_a_bundle(tmp_path: Path, name: str, phrases: list[str]) -> None:
    (tmp_path / name).touch()
    sentence = refusal(tmp_path / name)
    assert name in sentence
    assert all(phrase in sentence for phrase in phrases), sentence


@pytest.mark.parametrize(
    ("named", "phrase"),
    [
        ("https://example.org/bundle", "https://example.org/bundle is a web address, and nothing is fetched"),
        ("digits", "digits is a data set, not a bundle"),
        ("runs/absent", "runs/absent is not a bundle: there is nothing of that name"),
    ],
)
def test_a_name_that_leads_nowhere(named: str, phrase: str) -> None:
    assert phrase in refusal(named)
    assert phrase in refusal(Path(named))


def test_folders_in_place_of_a_bundle(tmp_path: Path, trained: Run) -> None:
    assert "it has no bundle.json" in refusal(tmp_path)
    shutil.copytree(trained.bundle.folder, tmp_path / "one" / "bundle")
    assert f"has 1 run in it: name one, such as {tmp_path / 'one'}" in refusal(tmp_path)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    assert "is a SavedModel, not a bundle: `tellapart import" in refusal(tmp_path / "saved")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "recipe.toml").touch()
    assert "finish its training with --resume" in refusal(tmp_path / "begun")


def test_the_file_in_a_bundle(trained: Run) -> None:
    manifest = trained.bundle.folder / "bundle.json"
    assert f"name the folder that it is in, {os.fspath(trained.bundle.folder)}" in refusal(manifest)


def refusal(named: str | Path) -> str:
    with pytest.raises(BundleError) as error:
        Bundle.open(named)
    assert "\n" not in str(error.value)
    return str(error.value)
