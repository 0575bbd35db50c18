"""Groups by folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.splits.folder_groups import group_by_folder
from tellapart.errors import DatasetError

from ..making import classes, put


def diary(root: Path) -> Path:
    """Cats of two days, one of them in two albums, and cats and dogs of no day."""
    put(root / "cat" / "monday" / "a" / "1.png", root / "cat" / "monday" / "b" / "2.png")
    put(root / "cat" / "monday" / "3.png", root / "cat" / "tuesday" / "4.png", root / "cat" / "tuesday" / "5.png")
    return classes(root)


def test_the_folders_below_the_class_folder_are_groups(tmp_path: Path) -> None:
    split = group_by_folder(Dataset.open(diary(tmp_path)), 1).splits["all"]
    names = [split.images.name(i).removeprefix(f"{tmp_path}/") for i in range(len(split))]
    assert dict(zip(names, split.groups or (), strict=True)) == {
        "cat/monday/3.png": "cat/monday",
        "cat/monday/a/1.png": "cat/monday",
        "cat/monday/b/2.png": "cat/monday",
        "cat/tuesday/4.png": "cat/tuesday",
        "cat/tuesday/5.png": "cat/tuesday",
        **{f"{name}/{i}.png": f"{name}/{i}.png" for name in ("cat", "dog") for i in range(2)},
    }


def test_a_group_is_the_same_in_every_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diary(tmp_path / "train")
    diary(tmp_path / "test")
    monkeypatch.chdir(tmp_path)
    for source in (str(tmp_path), f"{tmp_path}/", "."):
        splits = group_by_folder(Dataset.open(source), 1).splits
        assert splits["train"].groups == splits["test"].groups
        assert "cat/monday" in (splits["test"].groups or ())


@pytest.mark.parametrize(("depth", "sentence"), [(0, "depth of groups is 0; expected 1 or more"), (4, "no two images")])
def test_a_depth_that_groups_nothing_is_refused(tmp_path: Path, depth: int, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        group_by_folder(Dataset.open(diary(tmp_path)), depth)


def test_only_folders_have_depths(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=np.zeros((4, 3, 3), np.uint8), y=[0, 1, 0, 1])
    for dataset in (Dataset.open(tmp_path / "set.npz"), replace(Dataset.open(diary(tmp_path / "d")), source=None)):
        with pytest.raises(DatasetError, match="was not read from a folder of class folders"):
            group_by_folder(dataset, 1)
