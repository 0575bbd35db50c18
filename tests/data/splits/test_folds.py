"""Folds are of equal make-up, and nothing that belongs together is parted."""

from dataclasses import replace

import numpy as np
import pytest

from tellapart.data.dataset import Split
from tellapart.data.sources.arrays import array_split
from tellapart.data.splits.folds import folds
from tellapart.errors import DatasetError


def split_of(counts: list[int], *, copies: int = 1, seed: int = 0) -> Split:
    """Distinct random images, so many of each class, each of them `copies` times, shuffled."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (sum(counts), 4, 4, 1), dtype=np.uint8).repeat(copies, axis=0)
    labels = np.repeat(np.arange(len(counts)), counts).repeat(copies)
    order = rng.permutation(len(labels))
    return array_split(images[order], labels[order])


def homes(split: Split, parts: tuple[np.ndarray, ...]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for number, part in enumerate(parts):
        for place in part:
            found.setdefault(split.images.digests[place], set()).add(number)
    return found


@pytest.mark.parametrize("count", [2, 3, 5, 7])
def test_every_image_is_in_one_fold_and_every_class_has_its_share_in_each(count: int) -> None:
    split = split_of([7, 20, 33, 51])
    parts = folds(split, count, 0)
    assert len(parts) == count
    assert sorted(np.concatenate(parts).tolist()) == list(range(111))
    assert all((np.diff(part) > 0).all() for part in parts)
    table = np.array([np.bincount(split.labels[part], minlength=4) for part in parts])
    assert (table.max(axis=0) - table.min(axis=0) <= 1).all()
    assert np.ptp([len(part) for part in parts]) <= 1


def test_copies_of_a_image_never_straddle_whatever_their_labels() -> None:
    split = split_of([12, 12], copies=3)
    labels = split.labels.copy()
    labels[split.images.digests.index(split.images.digests[5])] = 1 - labels[5]
    split = Split(split.images, labels)
    parts = folds(split, 4, 0)
    found = homes(split, parts)
    assert len(found) == 24
    assert all(len(numbers) == 1 for numbers in found.values())
    assert [len(part) for part in parts] == [18, 18, 18, 18]


def test_a_image_with_very_many_copies_leaves_each_fold_images_of_its_class() -> None:
    split = split_of([5, 20])
    first = split.labels.tolist().index(0)
    many = split.take([*range(25), *[first] * 30])
    table = np.array([np.bincount(many.labels[part], minlength=2) for part in folds(many, 5, 0)])
    assert sorted(table[:, 0].tolist()) == [1, 1, 1, 1, 31]
    assert table[:, 1].tolist() == [4, 4, 4, 4, 4]


def test_groups_never_straddle_and_a_copy_joins_its_groups() -> None:
    split = split_of([40, 40])
    # The first image again, among the last person's
    groups = (*[f"person {place // 4}" for place in range(80)], "person 19")
    doubled = Split(split.images.take([*range(80), 0]), np.append(split.labels, split.labels[0]), groups)
    parts = folds(doubled, 4, 0)
    owner = {place: number for number, part in enumerate(parts) for place in part.tolist()}
    for person in range(20):
        assert len({owner[place] for place in range(4 * person, 4 * person + 4)}) == 1
    assert owner[0] == owner[80] == owner[79]
    assert sorted(len(part) for part in parts) == [20, 20, 20, 21]


def test_groups_of_mixed_classes_are_dealt_so_that_classes_are_even() -> None:
    split = split_of([60, 60])
    rng = np.random.default_rng(0)
    grouped = replace(split, groups=tuple(f"group {number}" for number in rng.integers(0, 40, 120)))
    table = np.array([np.bincount(split.labels[part], minlength=2) for part in folds(grouped, 3, 0)])
    assert table.sum() == 120
    assert (np.abs(table - 20) <= 4).all()


def test_content_and_seed_alone_decide() -> None:
    split = split_of([30, 30])
    order = np.random.default_rng(1).permutation(60).tolist()
    shuffled = split.take(order)
    assert homes(split, folds(split, 5, 0)) == homes(shuffled, folds(shuffled, 5, 0))
    assert homes(split, folds(split, 5, 0)) != homes(split, folds(split, 5, 1))


def test_a_class_with_fewer_images_than_folds_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"class hat has 4 distinct images, but 5 folds need .* at most 4 folds"):
        folds(split_of([30, 4], copies=3), 5, 0, classes=("coat", "hat"))
    with pytest.raises(DatasetError, match=r"class 1 has 1 distinct images, .* remove the class"):
        folds(split_of([30, 1]), 2, 0)


def test_a_class_with_fewer_groups_than_folds_is_refused() -> None:
    with pytest.raises(DatasetError, match="class 0 has 2 groups, but 3 folds"):
        folds(replace(split_of([30, 30]), groups=("left", "right") * 30), 3, 0)


def test_groups_are_needed_for_every_image() -> None:
    with pytest.raises(DatasetError, match="2 groups for 60 images"):
        folds(replace(split_of([30, 30]), groups=("a", "b")), 3, 0)


def test_near_duplicates_never_straddle() -> None:
    split = split_of([40, 40])
    digests = split.images.digests
    families = {digests[place]: digests[place - place % 5] for place in range(80)}
    parts = folds(split, 4, 0, families)
    owner = {place: number for number, part in enumerate(parts) for place in part.tolist()}
    assert all(len({owner[place] for place in range(start, start + 5)}) == 1 for start in range(0, 80, 5))
    assert [len(part) for part in parts] == [20, 20, 20, 20]
