"""Splits: each class has its share in each, whatever the order; no picture is on two sides."""

import hashlib
from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.data.dataset import Dataset, FilePictures, Split
from tellapart.data.splits import NAMES, complete, require_classes, shared
from tellapart.errors import DatasetError


def digest(content: int | str) -> str:
    return hashlib.sha256(str(content).encode()).hexdigest()


def split_of(rows: list[tuple[int, int]]) -> Split:
    """Make a split of (content, label) rows; equal contents are copies of one picture."""
    paths = tuple(f"{number}.jpg" for number in range(len(rows)))
    return Split(
        FilePictures(paths, tuple(digest(content) for content, _ in rows)),
        np.array([label for _, label in rows], dtype=np.int32),
    )


def dataset(classes: int = 10, **splits: Split) -> Dataset:
    return Dataset("set", tuple(f"c{number}" for number in range(classes)), splits)


def distinct(sizes: list[int]) -> list[tuple[int, int]]:
    """Rows of different pictures, so many of each class."""
    return [(1000 * label + number, label) for label, size in enumerate(sizes) for number in range(size)]


Home = dict[str, set[tuple[str, int]]]


def homes(divided: Dataset) -> Home:
    return {
        name: set(zip(split.pictures.digests, split.labels.tolist(), strict=True))
        for name, split in divided.splits.items()
    }


fractions = st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.2, 1 / 3])


@settings(deadline=None)
@given(st.lists(st.integers(10, 120), min_size=2, max_size=6), fractions, fractions, st.integers(0, 5))
def test_every_class_has_its_share_to_less_than_one_picture(
    sizes: list[int], validation: float, test: float, seed: int
) -> None:
    whole = dataset(len(sizes), all=split_of(distinct(sizes)))
    divided = complete(whole, validation=validation, test=test, seed=seed)
    shares = {"train": 1 - validation - test, "validation": validation, "test": test}
    assert list(divided.splits) == [name for name in NAMES if shares[name] > 0]
    for name in divided.splits:
        wanted = np.array(sizes) * shares[name]
        assert (np.abs(divided.counts(name) - wanted) < (1 if name != "train" else 1.5)).all()
    assert sum(len(split) for split in divided.splits.values()) == sum(sizes)
    assert not shared(divided)


def test_the_share_of_train_too_is_exact_in_common_cases() -> None:
    for size in (20, 100, 341, 1000):
        divided = complete(dataset(2, all=split_of(distinct([size, size]))), validation=0.15, test=0.15, seed=0)
        assert (np.abs(divided.counts("train") - 0.7 * size) <= 1).all()
        assert (divided.counts("test") == divided.counts("validation")).all()


rows = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2)), min_size=1, max_size=120)


@settings(deadline=None)
@given(rows, st.randoms(use_true_random=False), fractions, st.integers(0, 3))
def test_the_order_of_files_does_not_matter_and_copies_stay_together(
    rows: list[tuple[int, int]], random: Random, fraction: float, seed: int
) -> None:
    # Contents repeat, also under several labels: the worst that a folder can hold.
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = (
        complete(dataset(3, all=split_of(listing)), validation=fraction, test=0.2, seed=seed)
        for listing in (rows, shuffled)
    )
    assert homes(one) == homes(other)
    assert not shared(one)
    counted = Counter(
        row for split in one.splits.values() for row in zip(split.pictures.digests, split.labels.tolist(), strict=True)
    )
    assert counted == Counter((digest(content), label) for content, label in rows)


def test_a_copy_under_two_labels_is_on_one_side() -> None:
    listing = distinct([40, 40]) + [(number, 1) for number in range(40)]  # all of class 0 also under class 1
    divided = complete(dataset(2, all=split_of(listing)), validation=0.2, test=0.2, seed=1)
    assert not shared(divided)
    assert divided.counts("test")[0] == 8


def test_within_a_split_the_order_of_files_is_kept() -> None:
    divided = complete(dataset(2, all=split_of(distinct([30, 30]))), validation=0.2, test=0.2, seed=0)
    for split in divided.splits.values():
        assert isinstance(split.pictures, FilePictures)
        order = [int(path.removesuffix(".jpg")) for path in split.pictures.paths]
        assert order == sorted(order)


def test_a_seed_repeats_and_another_divides_otherwise() -> None:
    whole = dataset(2, all=split_of(distinct([50, 50])))
    first, again, other = (homes(complete(whole, validation=0.2, test=0.2, seed=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first["test"] != other["test"]


def test_the_division_is_the_same_on_every_machine_and_for_ever() -> None:
    # Runs made by earlier versions rely on it: their test pictures must not become training pictures.
    divided = complete(dataset(2, all=split_of(distinct([10, 10]))), validation=0.2, test=0.2, seed=0)
    found = {name: [split.pictures.name(i) for i in range(len(split))] for name, split in divided.splits.items()}
    assert found["validation"] == ["5.jpg", "7.jpg", "11.jpg", "17.jpg"]
    assert found["test"] == ["0.jpg", "9.jpg", "10.jpg", "18.jpg"]


def test_one_more_picture_moves_few() -> None:
    before = complete(dataset(2, all=split_of(distinct([100, 100]))), validation=0.15, test=0.15, seed=0)
    after = complete(dataset(2, all=split_of(distinct([101, 100]))), validation=0.15, test=0.15, seed=0)
    assert len(homes(before)["test"] ^ homes(after)["test"]) <= 3


def test_splits_of_their_owner_stay_as_they_are() -> None:
    everything = split_of(distinct([40, 40]))
    mine = everything.take(range(7))
    whole = dataset(2, train=everything.take(range(7, 80)), test=mine)
    divided = complete(whole, validation=0.25, test=0.5, seed=0)
    assert divided.splits["test"] is mine
    assert list(divided.splits) == ["train", "validation", "test"]
    assert divided.counts("validation").tolist() == [8, 10]
    assert divided.counts("train").tolist() == [25, 30]
    kept = dataset(2, train=everything, validation=mine, test=mine)
    assert homes(complete(kept, validation=0.2, test=0.2, seed=0)) == homes(kept)


def test_no_share_no_split() -> None:
    whole = dataset(2, all=split_of(distinct([5, 5])))
    assert complete(whole, validation=0, test=0, seed=0).splits.keys() == {"train"}
    assert complete(whole, validation=0, test=0.2, seed=0).splits.keys() == {"train", "test"}
    assert complete(whole, validation=0.2, test=0, seed=0).splits.keys() == {"train", "validation"}


def test_without_pictures_to_train_on_it_is_refused() -> None:
    some = split_of(distinct([5, 5]))
    with pytest.raises(DatasetError, match="set has only validation, test: add a train folder"):
        complete(dataset(2, validation=some, test=some), validation=0.1, test=0.1, seed=0)


@pytest.mark.parametrize(
    ("size", "train", "validation", "test"), [(1, 1, 0, 0), (2, 1, 1, 0), (3, 1, 1, 1), (4, 2, 1, 1), (10, 8, 1, 1)]
)
def test_a_tiny_class_trains_first_and_is_in_every_split_from_three_on(
    size: int, train: int, validation: int, test: int
) -> None:
    divided = complete(dataset(2, all=split_of(distinct([size, 20]))), validation=0.1, test=0.1, seed=0)
    assert [divided.counts(name)[0] for name in NAMES] == [train, validation, test]


def test_no_pictures_at_all_divide_into_none() -> None:
    divided = complete(dataset(2, all=split_of([])), validation=0.1, test=0.1, seed=0)
    assert [len(split) for split in divided.splits.values()] == [0, 0, 0]


def test_a_split_that_misses_a_class_is_refused_with_both_names() -> None:
    divided = complete(dataset(3, all=split_of(distinct([20, 2, 20]))), validation=0.1, test=0.1, seed=0)
    with pytest.raises(DatasetError, match="the test split of set has no picture of c1; expected every class in every"):
        require_classes(divided)
    require_classes(complete(dataset(2, all=split_of(distinct([3, 20]))), validation=0.1, test=0.1, seed=0))


def test_many_missing_classes_are_named_in_part() -> None:
    with pytest.raises(DatasetError, match="no picture of c2, c3, c4, c5, c6; expected"):
        require_classes(dataset(10, train=split_of(distinct([1, 1]))))


def test_leaks_are_counted_by_distinct_picture_for_each_pair() -> None:
    train = split_of([(1, 0), (1, 0), (2, 1), (3, 0), (4, 1)])
    validation = split_of([(1, 1), (1, 0), (5, 0)])
    test = split_of([(2, 0), (1, 0), (3, 0), (9, 1)])
    found = shared(dataset(2, train=train, validation=validation, test=test))
    assert found == {("train", "validation"): 1, ("train", "test"): 3, ("validation", "test"): 1}
    assert shared(dataset(2, train=train)) == {}
