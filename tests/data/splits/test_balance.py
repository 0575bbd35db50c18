"""Groups stay whole, and splits come as near to the wanted fractions and classes as they allow."""

from itertools import product

import numpy as np
import pytest

from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import FileImages
from tellapart.data.splits.balance import balanced_homes
from tellapart.data.splits.draw_splits import draw_splits, position, share_notes

WANTED = np.array([0.15, 0.15, 0.7])


def senders(sizes: list[int], classes: int = 3, seed: int = 0) -> Dataset:
    rng, n = np.random.default_rng(seed), sum(sizes)
    names = tuple(f"sender {i}" for i in np.repeat(np.arange(len(sizes)), sizes))
    images = FileImages(tuple(f"{i}.jpg" for i in range(n)), tuple(f"{i:064x}" for i in range(n)))
    split = Split(images, rng.integers(classes, size=n).astype(np.int32), names)
    return Dataset("photos", tuple("abc"[:classes]), {"all": split})


def homes(dataset: Dataset) -> dict[str, str]:
    found = {(group, name) for name, split in dataset.splits.items() for group in split.groups or ()}
    assert len(found) == len(dict(found))  # no group is on two sides
    return dict(found)


SIZES = [120, 90, 70, 60, 40, 35, 30, 25, 20, 20, 15, 15, 10, 10, 8, 5, 5, 4, 3, 2]


@pytest.mark.parametrize("seed", range(5))
def test_fractions_are_as_asked_where_groups_allow(seed: int) -> None:
    whole = senders(SIZES)
    divided = draw_splits(whole, validation=0.15, test=0.15, seed=seed)
    assert len(homes(divided)) == len(SIZES)
    for name, share in {"train": 0.7, "validation": 0.15, "test": 0.15}.items():
        assert len(divided.splits[name]) / sum(SIZES) == pytest.approx(share, abs=0.01)
        classes = divided.counts(name) / np.bincount(whole.splits["all"].labels)
        assert np.abs(classes - share).max() < 0.08


def test_the_order_of_files_does_not_matter_and_seeds_do() -> None:
    whole = senders(SIZES)
    order = np.random.default_rng(1).permutation(sum(SIZES)).tolist()
    shuffled = Dataset("photos", whole.classes, {"all": whole.splits["all"].take(order)})
    first, again, other = (
        homes(draw_splits(dataset, validation=0.15, test=0.15, seed=seed))
        for dataset, seed in ((whole, 0), (shuffled, 0), (whole, 1))
    )
    assert first == again
    assert first != other


def test_many_small_groups_stay_where_their_names_put_them() -> None:
    divided = draw_splits(senders([2] * 3_000), validation=0.2, test=0.2, seed=0)
    moved = [
        name
        for name, home in homes(divided).items()
        if home != ("test" if (at := position(f"group {name}", 0)) < 0.2 else "validation" if at < 0.4 else "train")
    ]
    assert len(moved) <= 60


def test_of_few_groups_no_division_is_nearer() -> None:
    sizes = np.array([30, 20, 12, 9, 7, 5, 3])
    together, labels = np.repeat(np.arange(7), sizes), np.zeros(sizes.sum(), np.int32)
    drawn = np.array([2, 2, 1, 2, 0, 2, 2])
    found = balanced_homes(labels, together, drawn, np.linspace(0, 0.9, 7), WANTED)

    def distance(homes: tuple[int, ...]) -> float:
        counts = np.bincount(homes, sizes, minlength=3)
        return float((np.square(counts - WANTED * sizes.sum()) / WANTED).sum())

    least = min(map(distance, product(range(3), repeat=7)))
    assert distance(tuple(found.tolist())) <= 2 * least + 1
    assert distance(tuple(drawn.tolist())) > 5 * (least + 1)


def test_what_was_asked_and_what_it_got_is_said() -> None:
    whole = senders([463, 100, 40, 30])
    divided = draw_splits(whole, validation=0, test=0.3, seed=0)
    share = len(divided.splits["test"]) / 633
    (note,) = share_notes(whole, divided, validation=0, test=0.3)
    assert note == f"test: asked 30.0%, got {share:.1%}, since groups stay whole: the largest has 463 images"
    assert share == pytest.approx(0.27, abs=0.01)  # 100 + 40 + 30 of 633
    even = senders(SIZES)
    assert share_notes(even, draw_splits(even, validation=0, test=0.3, seed=0), validation=0, test=0.3) == ()
