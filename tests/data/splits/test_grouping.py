"""Units are what a chain of copies, families and groups joins, and no more."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.splits.grouping import UnitClasses, assign_units, draw_keys
from tellapart.errors import DatasetError


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
