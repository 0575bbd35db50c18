"""Units are what a chain of copies, families and groups joins, and no more."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import FileImages
from tellapart.data.splits.grouping import (
    UnitClasses,
    assign_units,
    draw_keys,
    group_by_folder,
    group_names,
    round_robin,
)
from tellapart.errors import DatasetError

from ..making import classes, put


def together(digests: list[str], groups: list[str] | None = None, families: dict[str, str] | None = None) -> list[str]:
    """The units in letters, by the order of their first image: "aab" is a pair and one alone."""
    found = assign_units(digests, groups, families).tolist()
    assert sorted(set(found)) == list(range(len(set(found))))
    letters = {number: chr(97 + place) for place, number in enumerate(dict.fromkeys(found))}
    return ["".join(letters[number] for number in found)]


def test_copies_families_and_groups_stay_together() -> None:
    assert together(list("xyxz")) == ["abac"]
    assert together(list("xyz"), families={"x": "z", "z": "z"}) == ["aba"]
    assert together(list("wxyz"), ["anna", "bo", "anna", "bo"]) == ["abab"]
    assert together(list("wxyz"), ["", "bo", "", ""]) == ["abcd"]
    assert together(list("wxyz"), ["", "", "", ""], {}) == ["abcd"]


def test_a_chain_joins_all_of_it() -> None:
    # anna's second image is near bo's first, whose second is the same as one without a group
    groups = ["anna", "anna", "bo", "bo", "", "cleo"]
    assert together(list("pqrsst"), groups, {"q": "r", "r": "r"}) == ["aaaaab"]


def test_a_group_is_no_image_of_that_name() -> None:
    assert together(["x", "y", "z"], ["z", "", ""]) == ["abc"]
    assert draw_keys(["x", "y"], ["z", ""]) == ["group z", "y"]
    assert draw_keys(["x", "y"], None) == ["x", "y"]


@given(st.lists(st.tuples(*[st.integers(0, 12)] * 3), max_size=40))
def test_units_are_the_connected_parts(rows: list[tuple[int, int, int]]) -> None:
    digests = [f"d{content}" for content, _, _ in rows]
    groups = [f"g{group}" if group else "" for _, group, _ in rows]
    families = {f"d{content}": f"f{family}" for content, _, family in rows if family}
    found = assign_units(digests, groups, families)
    parts: list[set[int]] = []
    for place in range(len(rows)):
        mine = [part for part in parts if any(tied(place, other, digests, groups, families) for other in part)]
        parts = [part for part in parts if part not in mine] + [{place}.union(*mine)]
    expected = {frozenset(part) for part in parts}
    assert {frozenset(np.flatnonzero(found == number).tolist()) for number in np.unique(found)} == expected


def tied(one: int, other: int, digests: list[str], groups: list[str], families: dict[str, str]) -> bool:
    same_family = families.get(digests[one], "one") == families.get(digests[other], "other")
    return digests[one] == digests[other] or groups[one] == groups[other] != "" or same_family


def test_a_chain_of_many_is_joined_in_a_moment() -> None:
    order = np.random.default_rng(0).permutation(50_000).tolist()
    digests = [str(place // 2) for place in order]
    groups = [str((place + 1) // 2) for place in order]
    began = time.process_time()
    assert assign_units(digests, groups).max() == 0
    assert time.process_time() - began < 10


def test_groups_are_needed_for_every_image() -> None:
    with pytest.raises(DatasetError, match="there are 2 groups for 3 images: give each image its own"):
        assign_units(list("xyz"), ["a", "b"])


def test_nothing_has_no_units() -> None:
    assert assign_units([]).tolist() == assign_units([], [], {}).tolist() == []


def test_the_makeup_knows_the_classes_of_units_and_the_units_of_classes() -> None:
    makeup = UnitClasses.of(np.array([3, 0, 3, 3, 0]), np.array([1, 1, 0, 0, 2]))
    assert [makeup.units_of(label).tolist() for label in range(4)] == [[1, 2], [], [], [0, 1]]
    assert [makeup.labels_of(unit).tolist() for unit in range(3)] == [[3], [0, 3], [0]]
    assert makeup.counts(np.array([0, 1, 1]), 2).tolist() == [[0, 2], [0, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("labels", "count", "chosen"),
    [
        ([0, 0, 0, 1, 1, 2], 10, [0, 3, 5, 1, 4, 2]),
        ([2, 1, 0, 0], 3, [2, 1, 0]),
        ([5, 5, 5], 2, [0, 1]),
        ([], 10, []),
        ([1], 0, []),
    ],
)
def test_examples_take_a_image_of_each_class_in_turn(labels: list[int], count: int, chosen: list[int]) -> None:
    assert round_robin(np.array(labels, dtype=np.int32))[:count].tolist() == chosen


def diary(root: Path) -> Path:
    """Cats of two days, one of them in two albums, and cats and dogs of no day."""
    put(root / "cat" / "monday" / "a" / "1.png", root / "cat" / "monday" / "b" / "2.png")
    put(root / "cat" / "monday" / "3.png", root / "cat" / "tuesday" / "4.png", root / "cat" / "tuesday" / "5.png")
    return classes(root)


def test_the_folders_below_the_class_folder_are_groups(tmp_path: Path) -> None:
    split = group_by_folder(Dataset.open(diary(tmp_path)), 1).splits["all"]
    names = [split.images.name(i).removeprefix(f"{tmp_path}/") for i in range(len(split))]
    assert dict(zip(names, split.groups or (), strict=True)) == {
        "cat/monday/3.png": "cat/monday",
        "cat/monday/a/1.png": "cat/monday",
        "cat/monday/b/2.png": "cat/monday",
        "cat/tuesday/4.png": "cat/tuesday",
        "cat/tuesday/5.png": "cat/tuesday",
        **{f"{name}/{i}.png": f"{name}/{i}.png" for name in ("cat", "dog") for i in range(2)},
    }


def test_a_group_is_the_same_in_every_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diary(tmp_path / "train")
    diary(tmp_path / "test")
    monkeypatch.chdir(tmp_path)
    for source in (str(tmp_path), f"{tmp_path}/", "."):
        splits = group_by_folder(Dataset.open(source), 1).splits
        assert splits["train"].groups == splits["test"].groups
        assert "cat/monday" in (splits["test"].groups or ())


@pytest.mark.parametrize(("depth", "sentence"), [(0, "depth of groups is 0; expected 1 or more"), (4, "no two images")])
def test_a_depth_that_groups_nothing_is_refused(tmp_path: Path, depth: int, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        group_by_folder(Dataset.open(diary(tmp_path)), depth)


def test_only_folders_have_depths(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=np.zeros((4, 3, 3), np.uint8), y=[0, 1, 0, 1])
    for dataset in (Dataset.open(tmp_path / "set.npz"), replace(Dataset.open(diary(tmp_path / "d")), source=None)):
        with pytest.raises(DatasetError, match="was not read from a folder of class folders"):
            group_by_folder(dataset, 1)


def test_each_image_is_named_by_its_unit() -> None:
    split = Split(FileImages(tuple("wxyz"), tuple("abca")), np.zeros(4, np.int32), ("anna", "bo", "carl", ""))
    assert group_names(split) == ("a", "bo", "carl", "a")  # its copy has no sender
    assert group_names(split, {"b": "c", "c": "c"}) == ("a", "bo", "bo", "a")
    assert group_names(replace(split, groups=None)) is None
