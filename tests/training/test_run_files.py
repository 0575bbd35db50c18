"""What a run ran on and with."""

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from tellapart import __version__
from tellapart.data.dataset import Dataset, ReadOptions
from tellapart.recipe import Recipe
from tellapart.training.run_files import environment, reading_of, with_stored_model


def test_it_says_versions_and_images_and_is_json(tiny: Path) -> None:
    dataset = Dataset.open(tiny)
    found = json.loads(json.dumps(environment(dataset)))
    assert found["tellapart"] == __version__
    assert found["packages"]["keras"] == version("keras")
    assert found["dataset"] == {
        "name": "tiny",
        "source": str(tiny),
        "reading": {
            "path_column": None,
            "label_column": None,
            "split_column": None,
            "group_column": None,
            "exclude_label": [],
            "skip": None,
        },
        "fingerprint": dataset.fingerprint,
        "classes": ["blue", "green", "red"],
        "pictures": {"all": 36},
    }


def test_where_the_images_are_is_said_for_any_folder_one_may_ask_in(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "set.npz", x=np.zeros((4, 8, 8), np.uint8), y=np.arange(4) % 2)
    monkeypatch.chdir(tmp_path)
    assert environment(Dataset.open("set.npz"))["dataset"]["source"] == str(tmp_path / "set.npz")
    monkeypatch.chdir(tiny.parent)
    assert environment(Dataset.open(tiny.name))["dataset"]["source"] == str(tiny)
    assert environment(Dataset.open("digits"))["dataset"]["source"] == "digits"
    (tmp_path / "labels.csv").write_text("image,label\n")
    (tmp_path / "digits").write_text("a file of that name is not what `digits` means")
    monkeypatch.chdir(tmp_path)
    for source, place in (("labels.csv", str(tmp_path / "labels.csv")), ("digits", "digits")):
        dataset = replace(Dataset.open("digits"), source=source)
        assert environment(dataset)["dataset"]["source"] == place


@pytest.mark.parametrize(
    "read_options",
    [
        ReadOptions(),
        ReadOptions("image", "label", "part", "person", ("Not sure", "Skip,Other"), Path("findings.csv")),
        ReadOptions(skip=Path("/elsewhere/f\udcffindings.csv")),
    ],
)
def test_how_images_were_read_comes_back_from_json(
    read_options: ReadOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = replace(Dataset.open("digits"), read_options=read_options)
    facts = json.loads(json.dumps(environment(dataset)))["dataset"]
    monkeypatch.chdir("/")
    skip = None if read_options.skip is None else tmp_path / read_options.skip
    assert reading_of(facts) == replace(read_options, skip=skip)


def test_a_run_of_an_earlier_version_was_read_plainly() -> None:
    assert reading_of({"name": "digits", "source": "digits"}) == ReadOptions()


def test_a_resumed_run_keeps_the_model_that_its_images_decided(tmp_path: Path) -> None:
    assert with_stored_model(Recipe(), tmp_path) == Recipe()
    Recipe(model="cnn", weights="none", size=28).write(tmp_path / "recipe.toml")
    assert with_stored_model(Recipe(seed=3), tmp_path) == Recipe(model="cnn", size=28, seed=3)
    assert with_stored_model(Recipe(model="mlp"), tmp_path) == Recipe(model="mlp")
    Recipe(model="xception", weights="imagenet", size=299).write(tmp_path / "recipe.toml")
    assert with_stored_model(Recipe(), tmp_path) == Recipe(model="xception")  # the ladder may still enlarge
