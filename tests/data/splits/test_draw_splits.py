"""Splits: each class has its share in each, whatever the order; no image is on two sides."""

import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import FileImages
from tellapart.data.splits.draw_splits import (
    SPLIT_NAMES,
    draw_splits,
    missing_splits,
    position,
    require_classes,
    with_validation_in_train,
)
from tellapart.errors import DatasetError


def shared_images(dataset: Dataset) -> dict[tuple[str, str], int]:
    """Count the distinct images that pairs of splits share; pairs without any are left out."""
    digests = {name: set(split.images.digests) for name, split in dataset.splits.items()}
    shared = {(one, other): len(digests[one] & digests[other]) for one, other in itertools.combinations(digests, 2)}
    return {pair: count for pair, count in shared.items() if count}


def digest(content: int | str) -> str:
    return hashlib.sha256(str(content).encode()).hexdigest()


def split_of(rows: list[tuple[int, int]]) -> Split:
    """Make a split of (content, label) rows; equal contents are copies of one image."""
    paths = tuple(f"{number}.jpg" for number in range(len(rows)))
    return Split(
        FileImages(paths, tuple(digest(content) for content, _ in rows)),
        np.array([label for _, label in rows], dtype=np.int32),
    )


def dataset(classes: int = 10, **splits: Split) -> Dataset:
    return Dataset("set", tuple(f"c{number}" for number in range(classes)), splits)


def distinct(sizes: list[int]) -> list[tuple[int, int]]:
    """Rows of different images, so many of each class."""
    return [(1000 * label + number, label) for label, size in enumerate(sizes) for number in range(size)]


Home = dict[str, set[tuple[str, int]]]


def homes(divided: Dataset) -> Home:
    return {
        name: set(zip(split.images.digests, split.labels.tolist(), strict=True))
        for name, split in divided.splits.items()
    }


fractions = st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.2, 1 / 3])


def fractions_of(validation: float, test: float) -> dict[str, float]:
    shares = {"train": 1 - validation - test, "validation": validation, "test": test}
    return {name: share for name, share in shares.items() if share > 0}


@given(st.lists(st.integers(200, 1500), min_size=2, max_size=4), fractions, fractions, st.integers(0, 5))
def test_a_large_class_has_about_its_share_in_every_split(
    sizes: list[int], validation: float, test: float, seed: int
) -> None:
    whole = dataset(len(sizes), all=split_of(distinct(sizes)))
    divided = draw_splits(whole, validation=validation, test=test, seed=seed)
    shares = fractions_of(validation, test)
    assert list(divided.splits) == list(shares)
    for name, share in shares.items():
        # Five standard deviations of as many throws of a coin
        deviation = np.sqrt(share * (1 - share) * np.array(sizes))
        assert (np.abs(divided.counts(name) - share * np.array(sizes)) <= 5 * deviation).all()
    assert sum(len(split) for split in divided.splits.values()) == sum(sizes)
    assert not shared_images(divided)


rows = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2)), min_size=1, max_size=120)


@given(rows, st.randoms(use_true_random=False), fractions, st.integers(0, 3))
def test_the_order_of_files_does_not_matter_and_copies_stay_together(
    rows: list[tuple[int, int]], random: Random, fraction: float, seed: int
) -> None:
    # Contents repeat, also under several labels: the worst that a folder can hold.
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = (
        draw_splits(dataset(3, all=split_of(listing)), validation=fraction, test=0.2, seed=seed)
        for listing in (rows, shuffled)
    )
    assert homes(one) == homes(other)
    assert not shared_images(one)
    counted = Counter(
        row for split in one.splits.values() for row in zip(split.images.digests, split.labels.tolist(), strict=True)
    )
    assert counted == Counter((digest(content), label) for content, label in rows)


def test_a_copy_under_two_labels_is_on_one_side() -> None:
    listing = distinct([40, 40]) + [(number, 1) for number in range(40)]  # all of class 0 also under class 1
    divided = draw_splits(dataset(2, all=split_of(listing)), validation=0.2, test=0.2, seed=1)
    assert not shared_images(divided)
    assert home_of(divided) == home_of(
        draw_splits(dataset(2, all=split_of(listing[:80])), validation=0.2, test=0.2, seed=1)
    )


def test_within_a_split_the_order_of_files_is_kept() -> None:
    divided = draw_splits(dataset(2, all=split_of(distinct([30, 30]))), validation=0.2, test=0.2, seed=0)
    for split in divided.splits.values():
        assert isinstance(split.images, FileImages)
        order = [int(path.removesuffix(".jpg")) for path in split.images.paths]
        assert order == sorted(order)


def test_a_seed_repeats_and_another_divides_otherwise() -> None:
    whole = dataset(2, all=split_of(distinct([50, 50])))
    first, again, other = (homes(draw_splits(whole, validation=0.2, test=0.2, seed=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first["test"] != other["test"]


def test_the_division_is_the_same_on_every_machine_and_for_ever() -> None:
    # Runs made by earlier versions rely on it: their test images must not become training images.
    divided = draw_splits(dataset(2, all=split_of(distinct([10, 10]))), validation=0.2, test=0.2, seed=0)
    found = {name: [split.images.name(i) for i in range(len(split))] for name, split in divided.splits.items()}
    assert found["validation"] == ["0.jpg", "9.jpg", "10.jpg"]
    assert found["test"] == ["5.jpg", "7.jpg", "11.jpg", "17.jpg"]


@dataclass(frozen=True)
class Shot:
    """An image: its content, class, group ("" for none) and family of near-duplicates (0 for none)."""

    content: int
    label: int
    group: str = ""
    family: int = 0

    @property
    def drawn_by(self) -> str:
        """What its place is a hash of."""
        return f"group {self.group}" if self.group else digest(self.content)


def of_shots(shots: list[Shot]) -> Dataset:
    kin = {shot.family: digest(shot.content) for shot in shots if shot.family}
    split = replace(
        split_of([(shot.content, shot.label) for shot in shots]), groups=tuple(shot.group for shot in shots)
    )
    return replace(dataset(3, all=split), families={digest(s.content): kin[s.family] for s in shots if s.family})


def joined(shots: list[Shot]) -> list[set[Shot]]:
    """What belongs together, found by trying each with each."""
    found: list[set[Shot]] = []
    for shot in shots:
        mine = [unit for unit in found if any(similar(shot, other) for other in unit)]
        found = [unit for unit in found if unit not in mine] + [{shot}.union(*mine)]
    return found


def similar(one: Shot, other: Shot) -> bool:
    return one.content == other.content or (one.group == other.group != "") or (one.family == other.family != 0)


@dataclass(frozen=True)
class Drawn:
    """How some images were divided: of each unit the split, and the one that its place alone would give."""

    units: dict[frozenset[Shot], str]
    by_place: dict[frozenset[Shot], str]

    @property
    def standing_in(self) -> set[frozenset[Shot]]:
        """The units that are elsewhere than their place says."""
        return {unit for unit, home in self.units.items() if home != self.by_place[unit]}

    def without(self, homes: dict[frozenset[Shot], str]) -> set[tuple[int, str]]:
        """The classes and splits such that the split has no unit of the class."""
        has = {(shot.label, home) for unit, home in homes.items() for shot in unit}
        return {(label, name) for label in {label for label, _ in has} for name in SPLIT_NAMES} - has


def drawn(shots: list[Shot], validation: float, seed: int) -> Drawn:
    divided = draw_splits(of_shots(shots), validation=validation, test=0.2, seed=seed)
    homes = {one: name for name, split in divided.splits.items() for one in split.images.digests}
    assert not shared_images(divided)
    units, by_place = {}, {}
    for unit in map(frozenset, joined(shots)):
        (units[unit],) = {homes[digest(shot.content)] for shot in unit}  # one: nothing is parted
        place = max(position(shot.drawn_by, seed) for shot in unit)
        by_place[unit] = "test" if place < 0.2 else "validation" if place < 0.2 + validation else "train"
    return Drawn(units, by_place)


def home_of(divided: Dataset) -> dict[str, str]:
    return {one: name for name, split in divided.splits.items() for one in split.images.digests}


def in_family(content: int, label: int, group: str) -> Shot:
    return Shot(content, label, group, family=content % 10)  # equal content is of one family


shots = st.builds(
    in_family, st.integers(0, 300), st.integers(0, 2), st.just("")
)  # groups may change sides: test_balance
alone = st.builds(Shot, st.integers(0, 300), st.integers(0, 2))
many = st.one_of(st.lists(shots, min_size=1, max_size=150), st.lists(alone, min_size=1, max_size=150))


@given(many, st.integers(0, 150), st.sampled_from([0.05, 0.2, 1 / 3]), st.integers(0, 3))
def test_images_that_are_added_move_none_but_those_that_stood_in(
    shots: list[Shot], number: int, validation: float, seed: int
) -> None:
    some = shots[:number] or shots[:1]
    before, after = drawn(some, validation, seed), drawn(shots, validation, seed)
    for found in (before, after):
        assert len(found.standing_in) <= (9 if found.without(found.by_place) else 0)  # of 3 classes in 3 splits
    for unit, home in before.units.items():
        (grown,) = (other for other in after.units if unit <= other)
        if unit in before.standing_in or grown in after.standing_in:
            continue
        towards = ("test", "validation", "train").index
        assert towards(after.units[grown]) >= towards(home)  # near-duplicates and others may pull it into training
        if {shot.drawn_by for shot in grown} == {shot.drawn_by for shot in unit}:
            assert after.units[grown] == home


@given(st.lists(alone, min_size=1, max_size=40, unique_by=lambda shot: shot.content), st.integers(0, 3))
def test_no_more_stand_in_than_are_missed_and_no_class_of_three_is_missed_anywhere(
    shots: list[Shot], seed: int
) -> None:
    found = drawn(shots, 0.1, seed)
    assert len(found.standing_in) <= len(found.without(found.by_place))
    sizes = Counter(shot.label for shot in shots)
    missed = Counter(label for label, _ in found.without(found.units))
    assert missed == Counter({label: 3 - size for label, size in sizes.items() if size < 3})
    assert all(name != "train" for _, name in found.without(found.units))


def test_splits_of_their_owner_stay_as_they_are() -> None:
    everything = split_of(distinct([40, 40]))
    mine = everything.take(range(7))
    whole = dataset(2, train=everything.take(range(7, 80)), test=mine)
    divided = draw_splits(whole, validation=0.25, test=0.5, seed=0)
    assert divided.splits["test"] is mine
    assert list(divided.splits) == ["train", "validation", "test"]
    expected = {one: "validation" if position(one, 0) < 0.25 else "train" for one in everything.images.digests[7:]}
    assert home_of(replace(divided, splits={n: s for n, s in divided.splits.items() if n != "test"})) == expected
    kept = dataset(2, train=everything, validation=mine, test=mine)
    assert homes(draw_splits(kept, validation=0.2, test=0.2, seed=0)) == homes(kept)


def test_no_share_no_split() -> None:
    whole = dataset(2, all=split_of(distinct([5, 5])))
    assert draw_splits(whole, validation=0, test=0, seed=0).splits.keys() == {"train"}
    assert draw_splits(whole, validation=0, test=0.2, seed=0).splits.keys() == {"train", "test"}
    assert draw_splits(whole, validation=0.2, test=0, seed=0).splits.keys() == {"train", "validation"}


def test_without_images_to_train_on_it_is_refused() -> None:
    some = split_of(distinct([5, 5]))
    with pytest.raises(DatasetError, match="set has only validation, test: add a train folder"):
        draw_splits(dataset(2, validation=some, test=some), validation=0.1, test=0.1, seed=0)


def test_a_group_that_all_classes_share_stands_in_for_all() -> None:
    people = [f"person {content % 4}" for content, _ in distinct([40, 40, 40])]
    split = replace(split_of(distinct([40, 40, 40])), groups=tuple(people))
    for seed in range(20):
        divided = draw_splits(dataset(3, all=split), validation=0.1, test=0.1, seed=seed)
        require_classes(divided)
        homes = {(group, name) for name, split in divided.splits.items() for group in split.groups or ()}
        assert len(homes) == 4


def test_a_share_of_validation_that_shrinks_leaves_test_alone() -> None:
    whole = dataset(2, all=split_of(distinct([500, 500])))
    large, small = (homes(draw_splits(whole, validation=share, test=0.15, seed=0)) for share in (0.15, 0.05))
    assert large["test"] == small["test"]
    assert large["validation"] > small["validation"]


def test_names_of_groups_may_be_no_utf8() -> None:
    split = replace(split_of(distinct([20, 20])), groups=("one", "f\udcff") * 20)
    divided = draw_splits(dataset(2, all=split), validation=0.2, test=0, seed=0)
    assert {len({*(part.groups or ())}) for part in divided.splits.values()} == {1}


def test_what_is_lacking_is_what_will_be_drawn() -> None:
    some = split_of(distinct([5, 5]))
    assert missing_splits(dataset(2, all=some), validation=0.1, test=0.2) == {"validation": 0.1, "test": 0.2}
    assert missing_splits(dataset(2, train=some, test=some), validation=0.1, test=0.2) == {"validation": 0.1}
    assert missing_splits(dataset(2, train=some, validation=some), validation=0.1, test=0) == {}


def test_no_images_at_all_divide_into_none() -> None:
    divided = draw_splits(dataset(2, all=split_of([])), validation=0.1, test=0.1, seed=0)
    assert [len(split) for split in divided.splits.values()] == [0, 0, 0]


def test_a_split_that_misses_a_class_is_refused_with_both_names() -> None:
    divided = draw_splits(dataset(3, all=split_of(distinct([20, 2, 20]))), validation=0.1, test=0.1, seed=0)
    with pytest.raises(
        DatasetError, match="the validation split of set has no image of c1; expected every class in it"
    ):
        require_classes(divided)
    require_classes(draw_splits(dataset(2, all=split_of(distinct([3, 20]))), validation=0.1, test=0.1, seed=0))


def test_a_test_split_may_lack_a_class() -> None:
    require_classes(dataset(2, train=split_of(distinct([3, 3])), test=split_of(distinct([3, 0]))))


def test_many_missing_classes_are_named_in_part() -> None:
    with pytest.raises(DatasetError, match="no image of c2, c3, c4, c5, c6; expected"):
        require_classes(dataset(10, train=split_of(distinct([1, 1]))))


def test_leaks_are_counted_by_distinct_image_for_each_pair() -> None:
    train = split_of([(1, 0), (1, 0), (2, 1), (3, 0), (4, 1)])
    validation = split_of([(1, 1), (1, 0), (5, 0)])
    test = split_of([(2, 0), (1, 0), (3, 0), (9, 1)])
    found = shared_images(dataset(2, train=train, validation=validation, test=test))
    assert found == {("train", "validation"): 1, ("train", "test"): 3, ("validation", "test"): 1}
    assert shared_images(dataset(2, train=train)) == {}


def test_validation_images_join_those_for_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one, two, three = rng.integers(0, 256, (3, 6, 8, 8), np.uint8)
    y = np.arange(6) % 2
    np.savez(tmp_path / "one.npz", x_train=one, x_validation=two, x_test=three, y_train=y, y_validation=y, y_test=y)
    joined = with_validation_in_train(Dataset.open(tmp_path / "one.npz"))
    assert {name: len(split) for name, split in joined.splits.items()} == {"train": 12, "test": 6}
    train = joined.splits["train"]
    assert np.array_equal(train.images.read(7)[..., 0], two[1])
    assert train.labels.tolist() == [0, 1] * 6
    assert len(set(train.images.digests)) == 12


def test_images_of_unlike_sizes_cannot_be_joined(tmp_path: Path) -> None:
    small, large = np.zeros((2, 8, 8), np.uint8), np.zeros((2, 9, 9), np.uint8)
    y = np.arange(2)
    np.savez(tmp_path / "two.npz", x_train=small, x_validation=large, y_train=y, y_validation=y)
    with pytest.raises(DatasetError, match="unlike"):
        with_validation_in_train(Dataset.open(tmp_path / "two.npz"))
