"""Marked images are left out and named; a table that no longer fits the data set is refused with a sentence."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.dataset import Dataset, Skipped, Split
from tellapart.data.findings_csv import COLUMNS
from tellapart.data.images import FileImages
from tellapart.data.sources.apply_skips import apply_skips, is_user_skip
from tellapart.data.sources.arrays import array_split
from tellapart.errors import DatasetError
from tellapart.files import csv_text

CLASSES = ("cat", "dog")
Line = tuple[str, str, str, str, str]


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def split(*rows: tuple[str, str]) -> Split:
    """Files, each with a label, whose contents are their paths."""
    paths = tuple(path for path, _ in rows)
    labels = np.array([CLASSES.index(label) for _, label in rows], dtype=np.int32)
    return Split(FileImages(paths, tuple(map(digest, paths))), labels)


def pets() -> Dataset:
    train = split(("c1", "cat"), ("c2", "cat"), ("d1", "dog"), ("d2", "dog"))
    return Dataset("pets", CLASSES, {"train": train, "test": split(("c3", "cat"), ("d3", "dog"))})


def table(folder: Path, lines: Sequence[Line]) -> Path:
    """Write marked lines, each of a finding, a path, a hash, a split and a label."""
    path = folder / "findings.csv"
    rows = [("x", kind, "note", name, key, home, label, "", "", "") for kind, name, key, home, label in lines]
    path.write_text(csv_text(COLUMNS, rows))
    return path


def line(
    path: str, *, kind: str = "blank", content: str | None = None, home: str = "train", label: str = "cat"
) -> Line:
    return (kind, path, digest(path if content is None else content), home, label)


def names(dataset: Dataset, home: str) -> list[str]:
    images = dataset.splits[home].images
    return [images.name(index) for index in range(len(images))]


def test_marked_images_are_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marked = table(tmp_path, [line("d3", kind="label-error", home="test"), line("c1"), line("c1", kind="copies")])
    whole = Dataset(
        "pets", CLASSES, {**pets().splits, "test": split(("d3", "dog"), ("d4", "dog"))}, (Skipped("e", "?"),)
    )
    left = apply_skips(whole, marked)
    assert names(left, "train") == ["c2", "d1", "d2"]
    assert left.splits["train"].labels.tolist() == [0, 1, 1]
    assert names(left, "test") == ["d4"]
    assert left.skipped == (
        Skipped("e", "?"),
        Skipped("d3", "left out by findings.csv, line 2 (label-error)"),
        Skipped("c1", "left out by findings.csv, line 3 (blank)"),
    )
    assert [is_user_skip(one) for one in left.skipped] == [False, True, True]
    assert "left out 2 of 6 images" in capsys.readouterr().err
    assert len(whole.splits["train"]) == 4


def test_groups_stay_with_their_images(tmp_path: Path) -> None:
    whole = pets()
    grouped = Split(whole.splits["train"].images, whole.splits["train"].labels, ("g1", "g2", "g3", "g4"))
    left = apply_skips(Dataset("pets", CLASSES, {"train": grouped}), table(tmp_path, [line("c2")]))
    assert left.splits["train"].groups == ("g1", "g3", "g4")


def test_another_spelling_of_the_same_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    marked = table(tmp_path, [line(str(tmp_path / "x" / ".." / "c1"), content="c1")])
    assert names(apply_skips(pets(), marked), "train") == ["c2", "d1", "d2"]


def test_nothing_marked(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nothing is marked in .*findings.csv: put an x"):
        apply_skips(pets(), table(tmp_path, []))


def test_a_image_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"line 3 of .* marks 'gone', which is not in pets \(and 1 more"):
        apply_skips(pets(), table(tmp_path, [line("c1"), line("gone"), line("lost")]))


def test_a_image_that_was_changed(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"line 2 of .* marks 'c1', which is another image than the one that was"):
        apply_skips(pets(), table(tmp_path, [line("c1", content="before")]))


def test_what_is_left_out_anyway_may_be_marked(tmp_path: Path) -> None:
    whole = Dataset("pets", CLASSES, pets().splits, (Skipped("bad", "not an image"),), others=("notes.txt",))
    left = apply_skips(whole, table(tmp_path, [line("bad", kind="unreadable"), line("notes.txt"), line("c1")]))
    assert [one.path for one in left.skipped] == ["bad", "c1"]


def test_no_class_and_no_split_is_emptied(tmp_path: Path) -> None:
    train = {"train": pets().splits["train"]}
    with pytest.raises(DatasetError, match=r"marks all images of class 'dog' of pets: keep some"):
        apply_skips(Dataset("pets", CLASSES, train), table(tmp_path, [line("d1"), line("d2")]))
    with pytest.raises(DatasetError, match=r"marks all images of the test split of pets"):
        apply_skips(pets(), table(tmp_path, [line("c3"), line("d3")]))


def test_of_copies_in_an_array_as_many_go_as_are_marked(tmp_path: Path) -> None:
    array = np.zeros((5, 4, 4), np.uint8)
    array[3], array[4] = 90, 200
    train = array_split(array, np.array([0, 0, 0, 1, 1]))
    name, key = train.images.name(0), train.images.digests[0]
    whole = Dataset("drawn", CLASSES, {"train": train})
    twice = [("copies", name, key, "train", "cat")] * 2
    assert len(apply_skips(whole, table(tmp_path, twice[:1])).splits["train"]) == 4
    assert len(apply_skips(whole, table(tmp_path, twice)).splits["train"]) == 3
    # The same two, blank besides.
    assert len(apply_skips(whole, table(tmp_path, [*twice, ("blank", *twice[0][1:])])).splits["train"]) == 3


def test_of_one_name_under_two_labels_the_marked_label_goes(tmp_path: Path) -> None:
    twice = split(("p", "cat"), ("p", "dog"), ("c1", "cat"), ("d1", "dog"))
    left = apply_skips(Dataset("pets", CLASSES, {"all": twice}), table(tmp_path, [line("p", label="dog", home="all")]))
    assert left.splits["all"].labels.tolist() == [0, 0, 1]
    with pytest.raises(DatasetError, match=r"which is not in pets"):
        apply_skips(Dataset("pets", CLASSES, {"all": twice}), table(tmp_path, [line("p", label="cow", home="all")]))


def test_of_one_name_in_two_splits_the_marked_split_is_left(tmp_path: Path) -> None:
    whole = Dataset("pets", CLASSES, {**pets().splits, "test": split(("c1", "cat"), ("d3", "dog"))})
    left = apply_skips(whole, table(tmp_path, [line("c1", kind="leak")]))
    assert (names(left, "train"), names(left, "test")) == (["c2", "d1", "d2"], ["c1", "d3"])


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9.jpg")
    key = hashlib.sha256(b"odd").hexdigest()
    images = FileImages((odd, "c1", "d1"), (key, digest("c1"), digest("d1")))
    whole = Dataset("pets", CLASSES, {"all": Split(images, np.array([0, 0, 1], dtype=np.int32))})
    path = tmp_path / "findings.csv"
    text = csv_text(COLUMNS, [("x", "blank", "note", odd, key, "all", "cat", "", "", "")])
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert names(apply_skips(whole, path), "all") == ["c1", "d1"]


def test_images_of_arrays_may_be_marked_by_their_former_names(tmp_path: Path) -> None:
    array = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    train = array_split(array, np.array([0, 0, 1, 1]))
    digest = train.images.digests[1]
    marked = table(tmp_path, [("blank", " ".join(("picture", digest[:12])), digest, "train", "cat")])
    left = apply_skips(Dataset("drawn", CLASSES, {"train": train}), marked)
    assert names(left, "train") == [train.images.name(i) for i in (0, 2, 3)]
    assert left.skipped == (Skipped(f"image {digest[:12]}", "left out by findings.csv, line 2 (blank)"),)
