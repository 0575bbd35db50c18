"""Dataset: facts that do not depend on the order of images or on where they lie."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.dataset import ArrayImages, Dataset, FileImages, Split, read_bytes
from tellapart.data.sources.arrays import array_split
from tellapart.data.sources.read_options import ReadOptions
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.errors import ImageError
from tellapart.files import sha256

ARRAY = np.random.default_rng(0).integers(0, 256, (10, 8, 8), dtype=np.uint8)
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])


def dataset(**splits: Split) -> Dataset:
    return Dataset("set", ("ant", "bee", "cow"), splits or {"all": array_split(ARRAY, LABELS)})


def test_counts_are_per_class_even_where_there_is_none() -> None:
    assert dataset().counts("all").tolist() == [4, 3, 3]
    assert dataset(all=array_split(ARRAY[:4], LABELS[:4])).counts("all").tolist() == [4, 0, 0]


def test_the_fingerprint_does_not_depend_on_order() -> None:
    whole = array_split(ARRAY, LABELS)
    order = np.random.default_rng(1).permutation(10).tolist()
    assert dataset(all=whole.take(order)).fingerprint == dataset(all=whole).fingerprint
    one, other = whole.take(range(5)), whole.take(range(5, 10))
    assert dataset(train=one, test=other).fingerprint == dataset(test=other, train=one).fingerprint


def test_the_fingerprint_depends_on_everything_else() -> None:
    whole = array_split(ARRAY, LABELS)
    darker, moved = ARRAY.copy(), LABELS.copy()
    darker[3, 0, 0] ^= 1
    moved[0] = 1
    variants = [
        dataset(),
        Dataset("set", ("ant", "bee", "dog"), {"all": whole}),
        Dataset("set", ("bee", "ant", "cow"), {"all": whole}),
        dataset(train=whole),
        dataset(all=whole.take(range(9))),
        dataset(all=whole.take([*range(10), 0])),
        dataset(all=array_split(darker, LABELS)),
        dataset(all=array_split(ARRAY, moved)),
        dataset(train=whole.take(range(5)), test=whole.take(range(5, 10))),
        dataset(train=whole.take(range(6)), test=whole.take(range(6, 10))),
    ]
    assert len({variant.fingerprint for variant in variants}) == len(variants)
    assert Dataset("another name", ("ant", "bee", "cow"), {"all": whole}).fingerprint == dataset().fingerprint


def squares(side: int, count: int = 2) -> NDArray[np.uint8]:
    return np.zeros((count, side, side), np.uint8)


def test_the_own_size_is_that_of_all_images() -> None:
    labels = np.array([0, 1])
    assert dataset().own_size == 8
    assert dataset(train=array_split(squares(9), labels), test=array_split(squares(9), labels)).own_size == 9
    assert dataset(train=array_split(squares(9), labels), test=array_split(squares(8), labels)).own_size is None
    assert dataset(all=array_split(np.zeros((2, 8, 9), np.uint8), labels)).own_size is None
    some = Split(FileImages(("a", "b"), ("0", "1")), labels.astype(np.int32))
    assert dataset(all=some).own_size is None
    assert dataset(train=array_split(squares(9), labels), test=some).own_size is None


def test_some_of_a_split_come_in_the_order_asked_for() -> None:
    split = array_split(ARRAY, LABELS)
    some = split.take([7, 0, 7])
    assert some.labels.tolist() == [2, 0, 2]
    assert [some.images.name(i) for i in range(3)] == [split.images.name(i) for i in (7, 0, 7)]
    np.testing.assert_array_equal(some.images.read(1), ARRAY[0][:, :, np.newaxis])
    assert len(split.take([])) == len(split.take([]).images) == 0
    assert some.groups is None


def test_groups_go_with_their_images() -> None:
    split = replace(array_split(ARRAY, LABELS), groups=tuple("ABCDEFGHIJ"))
    assert split.take([7, 0, 7]).groups == ("H", "A", "H")
    assert split.take([]).groups == ()


def test_a_image_keeps_its_name_when_splits_are_drawn() -> None:
    split = array_split(ARRAY, LABELS)
    assert split.take([3]).images.name(0) == split.images.name(3) == f"image {split.images.digests[3][:12]}"


def files(*paths: Path) -> FileImages:
    return FileImages(tuple(map(str, paths)), tuple(map(sha256, paths)))


def test_files_are_decoded_when_they_are_read(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(stream, "PNG")
    (tmp_path / "red.png").write_bytes(stream.getvalue())
    (tmp_path / "bad.png").write_bytes(b"no image")
    images = files(tmp_path / "red.png", tmp_path / "bad.png")
    assert images.read(0).shape == (3, 4, 3)
    assert images.name(0) == str(tmp_path / "red.png")
    assert images.take([1, 0]).paths == images.paths[::-1]
    with pytest.raises(ImageError, match="not an image"):
        images.read(1)


def test_a_file_that_was_changed_after_it_was_listed_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    Image.fromarray(ARRAY[0]).save(path)
    images = files(path)
    assert images.content(0) == path.read_bytes()
    Image.fromarray(ARRAY[1]).save(path)
    for read in (images.read, images.content):
        with pytest.raises(ImageError, match="was changed after it was listed: run the command again"):
            read(0)
    path.unlink()
    with pytest.raises(ImageError, match="cannot be read: No such file"):
        images.read(0)


def test_arrays_and_files_are_read_alike(tmp_path: Path) -> None:
    Image.fromarray(ARRAY[0]).save(tmp_path / "0.png")
    np.testing.assert_array_equal(
        files(tmp_path / "0.png").read(0), ArrayImages(ARRAY[..., np.newaxis], ("",) * 10).read(0)
    )


def test_a_path_may_be_opened_as_such(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=ARRAY, y=LABELS)
    assert Dataset.open(tmp_path / "set.npz").fingerprint == Dataset.open(str(tmp_path / "set.npz")).fingerprint


def test_it_says_what_was_opened_also_when_it_is_divided(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=ARRAY, y=LABELS)
    opened = Dataset.open(tmp_path / "set.npz")
    assert opened.source == str(tmp_path / "set.npz")
    assert draw_splits(opened, validation=0.2, test=0.2, seed=0).source == opened.source
    assert Dataset.open("digits").source == "digits"
    assert dataset().source is None


def test_it_says_how_it_was_read_also_when_it_is_divided(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=ARRAY, y=LABELS)
    assert Dataset.open(tmp_path / "set.npz").reading == dataset().reading == ReadOptions()
    reading = ReadOptions(exclude_label=("7", "9"))
    opened = Dataset.open("digits", reading)
    assert opened.reading == draw_splits(opened, validation=0.2, test=0.2, seed=0).reading == reading


def test_a_path_that_no_file_can_have_is_a_sentence() -> None:
    with pytest.raises(ImageError, match="cannot be read: embedded null byte"):
        read_bytes("a\0.png")
