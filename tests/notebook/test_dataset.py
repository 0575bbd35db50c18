"""A data set in a notebook: ten images and a table, for any number of images and any names."""

import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.dataset import Dataset, Skipped, Split
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.images import FileImages
from tellapart.data.sources.arrays import array_split
from tellapart.files import sha256
from tellapart.notebook.dataset import MAX_CLASSES, MAX_EXAMPLES

ARRAY = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2])


def small() -> Dataset:
    whole = array_split(ARRAY, LABELS)
    return Dataset("set", ("ant", "bee", "cow"), {"train": whole.take(range(11)), "test": whole.take([11])})


def html(dataset: Dataset) -> str:
    return dataset._repr_html_()


def captions(shown: str) -> list[str]:
    return re.findall("<figcaption>(.*?)</figcaption>", shown)


def rows(shown: str) -> list[list[str]]:
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in re.findall("<tr>(.*?)</tr>", shown)]


def test_it_shows_examples_with_their_labels_and_counts_by_split() -> None:
    shown = html(small())
    assert captions(shown) == ["ant", "bee", "cow", "ant", "bee", "ant", "bee", "ant", "bee", "ant"]
    assert "10 of the images in train" in shown
    assert rows(shown) == [
        ["class", "train", "test"], ["ant", "6", "0"], ["bee", "4", "0"], ["cow", "1", "1"], ["all classes", "11", "1"],
    ]  # fmt: skip


def test_names_are_text(tmp_path: Path) -> None:
    bad, broken = "<b>&'\"", tmp_path / "<i>.png"
    broken.write_bytes(b"no image")
    files = Split(FileImages((str(broken),), ("0" * 64,)), np.zeros(1, np.int32))
    skipped = (Skipped("<u>.png", "<s>"),)
    shown = html(Dataset(bad, (bad,), {bad: array_split(ARRAY[:2], LABELS[:2])}, skipped))
    shown += html(Dataset(bad, (bad,), {bad: files}, skipped))
    for tag in ("<b>", "<i>", "<u>", "<s>"):
        assert tag not in shown
        assert tag.replace("<", "&lt;").replace(">", "&gt;") in shown


def test_unreadable_images_are_left_out_and_reported(tiny: Path, tmp_path: Path) -> None:
    good = [str(path) for path in sorted((tiny / "blue").iterdir())[:3]]
    (tmp_path / "torn.png").write_bytes(Path(good[0]).read_bytes()[:60])
    paths = (good[0], str(tmp_path / "torn.png"), good[1], str(tmp_path / "gone.png"), good[2])
    files = FileImages(paths, tuple(sha256(Path(path)) if Path(path).exists() else "0" * 64 for path in paths))
    shown = html(Dataset("set", ("blue",), {"all": Split(files, np.zeros(5, np.int32))}))
    assert captions(shown) == ["blue"] * 3
    assert "2 of 5 examples cannot be read" in shown
    assert "torn.png" in shown
    assert "No such file" in shown


def test_skipped_files_are_counted_and_the_first_are_named() -> None:
    skipped = tuple(Skipped(f"{number}.txt", "not an image") for number in range(1234))
    shown = html(replace(small(), skipped=skipped))
    assert "1,234 files were left out: 0.txt: not an image; 1.txt: not an image; 2.txt: not an image; …" in shown
    assert "3.txt" not in shown


def test_of_many_classes_the_last_share_a_row() -> None:
    labels = np.arange(1000) % 500
    names = tuple(f"class {number}" for number in range(500))
    shown = html(Dataset("set", names, {"all": array_split(np.zeros((1000, 4, 4), np.uint8), labels)}))
    assert len(captions(shown)) == MAX_EXAMPLES
    assert len(rows(shown)) == 1 + MAX_CLASSES + 2
    assert rows(shown)[-2:] == [
        [f"{500 - MAX_CLASSES} more classes", str(1000 - 2 * MAX_CLASSES)],
        ["all classes", "1,000"],
    ]


def test_without_a_split_there_is_still_a_table() -> None:
    assert rows(html(Dataset("set", ("ant",), {}))) == [["class"], ["ant"], ["all classes"]]


def test_of_many_images_only_ten_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read_indices: list[int] = []

    def read(self: FileImages, index: int) -> ImageArray:
        read_indices.append(index)
        return np.zeros((20, 20, 3), np.uint8)

    monkeypatch.setattr(FileImages, "read", read)
    files = FileImages(tuple(f"{number}.jpg" for number in range(100_000)), ("0" * 64,) * 100_000)
    labels = np.random.default_rng(0).integers(0, 10, 100_000).astype(np.int32)
    dataset = Dataset("set", tuple("abcdefghij"), {"all": Split(files, labels)})
    before = time.process_time()
    shown, plain = html(dataset), repr(dataset)
    assert time.process_time() - before < 1
    assert len(read_indices) == 10
    assert captions(shown) == list("abcdefghij")
    assert plain == "<Dataset set: 100,000 all images in 10 classes>"


def test_on_a_plain_console_it_is_a_line() -> None:
    assert repr(small()) == "<Dataset set: 11 train, 1 test images in 3 classes>"
