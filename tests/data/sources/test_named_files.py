"""Labels in the names of files."""

from pathlib import Path

import pytest

from tellapart.data.dataset import Dataset, ReadOptions
from tellapart.errors import DatasetError

from ..making import put


def opened(root: Path, expression: str, *exclude: str) -> Dataset:
    return Dataset.open(root, ReadOptions(label_from=expression, exclude_label=exclude))


def test_a_folder_of_loose_images_is_labelled_by_their_names(tmp_path: Path) -> None:
    put(*(tmp_path / name for name in ("cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "deep/dog.1.jpg", "bird.jpg")))
    dataset = opened(tmp_path, r"(cat|dog)\.")
    assert dataset.classes == ("cat", "dog")
    assert dataset.counts("all").tolist() == [2, 2]
    assert dataset.unlabelled == (str(tmp_path / "bird.jpg"),)


def test_splits_are_folders_and_a_test_folder_without_labels_is_none(tmp_path: Path) -> None:
    put(*(tmp_path / "train" / f"{name}.jpg" for name in ("cat.0", "cat.1", "dog.0", "dog.1", "eel.0")))
    put(tmp_path / "test1" / "1.jpg", tmp_path / "test" / "2.jpg", tmp_path / "val" / "cat.9.jpg", tmp_path / "dog.jpg")
    dataset = opened(tmp_path, r"([a-z]+)(\.\d+)?\.jpg$", "eel")
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 4, "validation": 1}
    assert dataset.classes == ("cat", "dog")
    assert [skipped.path for skipped in dataset.skipped] == [str(tmp_path / "dog.jpg")]
    assert set(dataset.unlabelled) == {str(tmp_path / "test" / "2.jpg"), str(tmp_path / "test1" / "1.jpg")}


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("fish", "--label-from 'fish' is found in none of the 2 images of .*, such as .*a1/2.png"),
        ("[ab]1", "has the labels? 'A1'|has one label, 'a1': telling apart needs at least two"),
        ("(", "is no regular expression"),
    ],
)
def test_an_expression_that_finds_no_classes_is_refused(tmp_path: Path, expression: str, sentence: str) -> None:
    put(tmp_path / "a1.png", tmp_path / "a1" / "2.png")
    with pytest.raises(DatasetError, match=sentence):
        opened(tmp_path, expression)
