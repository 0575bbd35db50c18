"""Data sets: properties that do not depend on the order of images or on their location."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, ReadOptions, Split
from tellapart.data.images import FileImages
from tellapart.data.sources.arrays import array_split
from tellapart.data.splits.draw_splits import draw_splits

ARRAY = np.random.default_rng(0).integers(0, 256, (10, 8, 8), dtype=np.uint8)
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])


def dataset(**splits: Split) -> Dataset:
    return Dataset("set", ("ant", "bee", "cow"), splits or {"all": array_split(ARRAY, LABELS)})


def test_counts_are_per_class_also_for_classes_without_images() -> None:
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


def test_the_own_size_is_the_one_size_of_all_images() -> None:
    labels = np.array([0, 1])
    assert dataset().own_size == 8
    assert dataset(train=array_split(squares(9), labels), test=array_split(squares(9), labels)).own_size == 9
    assert dataset(train=array_split(squares(9), labels), test=array_split(squares(8), labels)).own_size is None
    assert dataset(all=array_split(np.zeros((2, 8, 9), np.uint8), labels)).own_size is None
    in_files = Split(FileImages(("a", "b"), ("0", "1")), labels.astype(np.int32))
    assert dataset(all=in_files).own_size is None
    assert dataset(train=array_split(squares(9), labels), test=in_files).own_size is None


def test_images_are_selected_in_the_order_given() -> None:
    split = array_split(ARRAY, LABELS)
    selected = split.take([7, 0, 7])
    assert selected.labels.tolist() == [2, 0, 2]
    assert [selected.images.name(i) for i in range(3)] == [split.images.name(i) for i in (7, 0, 7)]
    np.testing.assert_array_equal(selected.images.read(1), ARRAY[0][:, :, np.newaxis])
    assert len(split.take([])) == len(split.take([]).images) == 0
    assert selected.groups is None


def test_groups_are_selected_with_their_images() -> None:
    split = replace(array_split(ARRAY, LABELS), groups=tuple("ABCDEFGHIJ"))
    assert split.take([7, 0, 7]).groups == ("H", "A", "H")
    assert split.take([]).groups == ()


def test_an_image_keeps_its_name_when_splits_are_drawn() -> None:
    split = array_split(ARRAY, LABELS)
    assert split.take([3]).images.name(0) == split.images.name(3) == f"image {split.images.digests[3][:12]}"


def test_a_source_may_be_a_path_or_text(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=ARRAY, y=LABELS)
    assert Dataset.open(tmp_path / "set.npz").fingerprint == Dataset.open(str(tmp_path / "set.npz")).fingerprint


def test_the_source_is_kept_when_splits_are_drawn(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=ARRAY, y=LABELS)
    opened = Dataset.open(tmp_path / "set.npz")
    assert opened.source == str(tmp_path / "set.npz")
    assert draw_splits(opened, validation=0.2, test=0.2, seed=0).source == opened.source
    assert Dataset.open("digits").source == "digits"
    assert dataset().source is None


def test_the_read_options_are_kept_when_splits_are_drawn(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=ARRAY, y=LABELS)
    assert Dataset.open(tmp_path / "set.npz").read_options == dataset().read_options == ReadOptions()
    read_options = ReadOptions(exclude_label=("7", "9"))
    opened = Dataset.open("digits", read_options)
    assert opened.read_options == draw_splits(opened, validation=0.2, test=0.2, seed=0).read_options == read_options


def test_class_indices_are_in_the_order_of_labels(tiny: Path) -> None:
    dataset = Dataset.open(str(tiny))
    assert dataset.class_indices == {"blue": 0, "green": 1, "red": 2}
    assert list(dataset.class_indices) == [*dataset.classes]


def test_options_take_paths_and_a_label_in_text() -> None:
    options = ReadOptions(skip="findings.csv", root="images", exclude_label="cat")  # type: ignore[arg-type]
    assert options == ReadOptions(skip=Path("findings.csv"), root=Path("images"), exclude_label=("cat",))


def test_a_source_is_opened_and_a_data_set_is_taken_as_it_is(tiny: Path) -> None:
    dataset = Dataset.open(tiny)
    assert Dataset.of(dataset) is dataset
    assert Dataset.of(str(tiny)).fingerprint == dataset.fingerprint
