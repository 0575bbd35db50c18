"""From what a person names to a Dataset: each kind of source, and a sentence for every other."""

from pathlib import Path

import numpy as np
import pytest

from tellapart.data.dataset import ReadOptions
from tellapart.data.findings_csv import COLUMNS
from tellapart.data.sources.open_source import is_one_file, open_source
from tellapart.errors import DatasetError

from ..making import classes, put


@pytest.mark.parametrize("source", ["no/such/folder", "./absent", "../absent"])
def test_a_missing_folder_says_where_it_was_looked_for(source: str) -> None:
    with pytest.raises(DatasetError, match=f"there is no folder {source}: check the path .now in {Path.cwd()}"):
        open_source(source)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        DatasetError, match="no folder fashion_mnist, and no data set of that name: did you mean fashion-"
    ):
        open_source("fashion_mnist")


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "cat.png")
    (tmp_path / "clip.mp4").touch()
    (tmp_path / "notes.doc").touch()
    for name, sentence in (
        ("cat.png", r"cat\.png is one image, where .* To classify it: tellapart predict BUNDLE"),
        ("clip.mp4", r"clip\.mp4 is a video, which is not read"),
        ("notes.doc", r"is a file; expected a folder of class folders, or a file that ends in .csv,"),
        ("https://example.org/a", r"https://example\.org/a is a web address, and nothing is fetched"),
    ):
        with pytest.raises(DatasetError, match=sentence):
            open_source(str(tmp_path / name) if name[:4] != "http" else name)


ARRAY = np.zeros((4, 3, 3), np.uint8)


def stored(path: Path, **arrays: object) -> str:
    with path.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    return str(path)


@pytest.mark.parametrize("ending", [".npz", ".NPZ"])
def test_npz_files_are_data_sets(tmp_path: Path, ending: str) -> None:
    dataset = open_source(stored(tmp_path / f"set{ending}", x=ARRAY, y=[0, 2, 1, 2]))
    assert dataset.name == "set"
    assert dataset.classes == ("0", "1", "2")
    named = open_source(stored(tmp_path / f"set{ending}", x=ARRAY, y=[0, 2, 1, 2], classes=list("abcd")))
    assert named.classes == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("labels", "names", "sentence"),
    [
        ([0, 0, 0, 0], None, "has 1 class names for labels up to 0; expected at least 2"),
        ([0, 1, 2, 2], ["a", "b"], "has 2 class names for labels up to 2"),
        ([0, 1, 0, 1], ["a"], "has 1 class names for labels up to 1"),
        ([0, 1, 0, 1], ["a", "a"], "has class names that are not distinct: a, a"),
        ([0, 1, 2, 2**30], None, "has labels up to 1,073,741,824; expected classes numbered from 0 up"),
    ],
)
def test_labels_and_class_names_must_fit(
    tmp_path: Path, labels: list[int], names: list[str] | None, sentence: str
) -> None:
    more = {} if names is None else {"classes": names}
    with pytest.raises(DatasetError, match=f"^set {sentence}"):
        open_source(stored(tmp_path / "set.npz", x=ARRAY, y=labels, **more))


def test_a_folder_of_idx_files_is_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = b"\0\0\x08\x03\0\0\0\x04\0\0\0\x03\0\0\0\x03"
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(header + ARRAY.tobytes())
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x04\0\x01\x01\0")
    monkeypatch.chdir(tmp_path)
    for source in (str(tmp_path), "."):
        dataset = open_source(source)
        assert dataset.name == tmp_path.name
        assert dataset.classes == ("0", "1")
        assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 4, "test": 4}


def test_a_folder_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert open_source("digits").classes == ("cat", "dog")


@pytest.mark.parametrize("name", ["labels.csv", "set.npz", "labels.PARQUET"])
def test_a_missing_file_is_called_one(name: str) -> None:
    with pytest.raises(DatasetError, match=f"there is no file {name}: check the path"):
        open_source(name, ReadOptions(label_column="kind"))


def test_columns_are_for_tables(tmp_path: Path) -> None:
    for source in (str(classes(tmp_path)), "digits", stored(tmp_path / "set.npz", x=ARRAY, y=[0, 1, 0, 1])):
        with pytest.raises(DatasetError, match=f"--label-column is kind, but {source} is not a table"):
            open_source(source, ReadOptions(label_column="kind"))


def test_classes_of_arrays_can_be_left_out_too(tmp_path: Path) -> None:
    pixels = np.arange(36, dtype=np.uint8).reshape(4, 3, 3)
    source = stored(tmp_path / "set.npz", x=pixels, y=[0, 1, 2, 1], classes=["ant", "bee", "cat"])
    dataset = open_source(source, ReadOptions(exclude_label=("ant",)))
    assert dataset.classes == ("bee", "cat")
    assert dataset.splits["all"].labels.tolist() == [0, 1, 0]
    assert dataset.splits["all"].labels.dtype == np.int32
    assert dataset.splits["all"].images.read(0).tolist() == pixels[1][..., None].tolist()
    with pytest.raises(DatasetError, match="set has one class, 'cat'"):
        open_source(source, ReadOptions(exclude_label=("ant,bee",)))


def test_marked_images_are_left_out_last(tmp_path: Path) -> None:
    root = classes(tmp_path / "photos", each=3)
    first = open_source(str(root)).splits["all"].images
    row = f"x,copies,warning,{first.name(0)},{first.digests[0]},all,cat,,,"
    (tmp_path / "findings.csv").write_text(f"{','.join(COLUMNS)}\n{row}\n")
    dataset = open_source(str(root), ReadOptions(skip=tmp_path / "findings.csv"))
    assert dataset.counts("all").tolist() == [2, 3]
    assert [one.path for one in dataset.skipped] == [first.name(0)]


@pytest.mark.parametrize(
    ("source", "whole"), [("a.csv", True), ("a.TSV", True), ("a.parquet", True), ("a.npz", True), ("a.png", False)]
)
def test_some_files_are_whole_data_sets(source: str, whole: bool) -> None:
    assert is_one_file(source) is whole
