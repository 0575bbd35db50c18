"""A divided data set as a table: relative, complete, never over another one, and the same data set when read back."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.data.splits.grouping import group_by_folder
from tellapart.data.splits.split_csv import save_split
from tellapart.errors import DatasetError, StorageError

Coloured = Callable[..., Path]


def divided(source: Path) -> Dataset:
    return draw_splits(Dataset.open(source), validation=0.25, test=0.25, seed=0)


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
        return list(csv.DictReader(stream))


def contents(dataset: Dataset) -> dict[str, list[tuple[str, str]]]:
    return {
        name: sorted(
            (digest, dataset.classes[label])
            for digest, label in zip(split.images.digests, split.labels.tolist(), strict=True)
        )
        for name, split in dataset.splits.items()
    }


def test_the_table_names_every_image_relative_to_its_own_folder(tiny: Path, tmp_path: Path) -> None:
    table = tmp_path / "tables" / "split.csv"
    save_split(divided(tiny), table)
    found = rows(table)
    assert list(found[0]) == ["path", "label", "split", "group"]
    assert len(found) == 36
    assert {row["split"] for row in found} == {"train", "validation", "test"}
    assert all(not Path(row["path"]).is_absolute() for row in found)
    assert {(table.parent / row["path"]).resolve() for row in found} == set(tiny.resolve().rglob("*.png"))
    assert all(Path(row["path"]).parent.name == row["label"] for row in found)


def test_it_is_read_back_as_the_same_data_set(tiny: Path, tmp_path: Path) -> None:
    dataset = divided(tiny)
    save_split(dataset, tmp_path / "split.csv")
    again = Dataset.open(tmp_path / "split.csv")
    assert again.fingerprint == dataset.fingerprint
    assert all(split.groups is None for split in again.splits.values())


def test_paths_hold_through_links_to_folders(coloured: Coloured, tmp_path: Path) -> None:
    coloured(tmp_path / "real" / "deep" / "photos")
    (tmp_path / "photos").symlink_to(tmp_path / "real" / "deep" / "photos")
    (tmp_path / "real" / "tables").mkdir()
    (tmp_path / "tables").symlink_to(tmp_path / "real" / "tables")
    save_split(divided(tmp_path / "photos"), tmp_path / "tables" / "split.csv")
    for place in (tmp_path / "tables", tmp_path / "real" / "tables"):
        assert contents(Dataset.open(place / "split.csv")) == contents(divided(tmp_path / "photos"))


def test_groups_are_written_and_read_back(coloured: Coloured, tmp_path: Path) -> None:
    photos = coloured(tmp_path / "photos", each=4, colours=("blue", "red"))
    for number, image in enumerate(sorted(photos.rglob("*.png"))):
        day = image.parent / ("monday", "tuesday")[number % 2]
        day.mkdir(exist_ok=True)
        image.rename(day / image.name)
    dataset = group_by_folder(Dataset.open(photos), 1)
    save_split(draw_splits(dataset, validation=0, test=0.5, seed=0), tmp_path / "split.csv")
    groups = [group for split in Dataset.open(tmp_path / "split.csv").splits.values() for group in split.groups or ()]
    assert sorted(groups) == sorted(2 * ["red/monday", "red/tuesday", "blue/monday", "blue/tuesday"])


@pytest.mark.parametrize(
    "name", ["=1+1", "@SUM(1)", "-1", "'90s", "'=x", "a;b", 'a"b', "a,b", "<b>", "日本語", "..png", "x" * 200]
)
def test_names_that_are_hard_on_tables_come_back(name: str, coloured: Coloured, tmp_path: Path) -> None:
    photos = coloured(tmp_path / "photos", each=4)
    (photos / "red").rename(photos / name)
    (photos / name / "00.png").rename(photos / name / f"{name}.png")
    dataset = divided(photos)
    save_split(dataset, photos / name / "split.csv")
    assert not any(
        cell.startswith(("=", "@", "-")) for row in rows(photos / name / "split.csv") for cell in row.values()
    )
    assert contents(Dataset.open(photos / name / "split.csv")) == contents(dataset)


def test_a_name_that_is_no_text_comes_back(coloured: Coloured, tmp_path: Path) -> None:
    photos = coloured(tmp_path / "photos", each=4)
    (photos / "red" / "00.png").rename(photos / "red" / os.fsdecode(b"caf\xe9.png"))
    save_split(divided(photos), tmp_path / "split.csv")
    assert b"caf\xe9.png" in (tmp_path / "split.csv").read_bytes()
    assert contents(Dataset.open(tmp_path / "split.csv")) == contents(divided(photos))


def test_another_table_stays_and_the_same_one_is_no_error(tiny: Path, tmp_path: Path) -> None:
    table = tmp_path / "split.csv"
    save_split(divided(tiny), table)
    save_split(divided(tiny), table)
    table.write_text("mine")
    with pytest.raises(StorageError, match=r"split\.csv exists with other content: name another file"):
        save_split(divided(tiny), table)
    assert table.read_text() == "mine"


def test_images_in_arrays_are_refused(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", x_train=pixels, y_train=np.arange(20) % 2)
    dataset = draw_splits(Dataset.open(tmp_path / "digits.npz"), validation=0, test=0.5, seed=0)
    with pytest.raises(DatasetError, match="the images of digits are in arrays, not in files of their own"):
        save_split(dataset, tmp_path / "split.csv")
    assert not (tmp_path / "split.csv").exists()
