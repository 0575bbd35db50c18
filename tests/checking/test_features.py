"""Features as an array, with the paths and labels of its rows, and as files."""

import csv
from pathlib import Path

import numpy as np
import pytest

import tellapart
from tellapart.checking.features import Features
from tellapart.errors import RecipeError

FEATURES = Features(
    values=np.array([[0.1, 1e-30], [3, 1 / 3]], np.float32),
    labels=np.array([1, 0], np.int32),
    paths=("a.jpg", "=danger.jpg"),
    splits=("train", "test"),
    classes=("cat", "dog"),
    unreadable=0,
)


@pytest.mark.usefixtures("mean_mobilenet")
def test_each_row_is_the_image_that_its_path_names(tiny: Path) -> None:
    found = tellapart.features(str(tiny), "mobilenet")
    assert (str(found.values.dtype), len(found), found.unreadable) == ("float32", 36, 0)
    assert [Path(path).parent.name for path in found.paths] == [found.classes[label] for label in found.labels]
    means = {name: found.values[found.labels == index].mean(axis=0) for index, name in enumerate(found.classes)}
    assert means["red"].argmax() == 0
    assert means["blue"].argmax() == 2


def test_a_file_of_arrays_has_the_fields_without_pickle(tmp_path: Path) -> None:
    FEATURES.save(str(tmp_path / "features.npz"))
    with np.load(tmp_path / "features.npz", allow_pickle=False) as stored:
        assert stored["values"].tolist() == FEATURES.values.tolist()
        assert stored["values"].dtype == np.float32
        assert {name: stored[name].tolist() for name in ("labels", "paths", "splits", "classes")} == {
            "labels": [1, 0],
            "paths": ["a.jpg", "=danger.jpg"],
            "splits": ["train", "test"],
            "classes": ["cat", "dog"],
        }


def test_a_table_has_every_digit_and_no_formula(tmp_path: Path) -> None:
    FEATURES.save(tmp_path / "features.csv")
    with (tmp_path / "features.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["path"] for row in rows] == ["a.jpg", "'=danger.jpg"]
    assert [row["label"] for row in rows] == ["dog", "cat"]
    values = np.array([[row["f0"], row["f1"]] for row in rows]).astype(np.float32)
    assert values.tolist() == FEATURES.values.tolist()


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"features.npy ends in .npy; features are written as .npz or .csv"):
        FEATURES.save(tmp_path / "features.npy")
