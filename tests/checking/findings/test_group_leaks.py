"""Groups that a user's own splits part: named, with how many of which split."""

from dataclasses import replace

import numpy as np

from tellapart.checking.check import check_cheap
from tellapart.checking.findings.group_leaks import group_leak_findings
from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import FileImages


def dataset(**groups: tuple[str, ...]) -> Dataset:
    """For each split its images' groups, "" for none; the classes take turns."""
    splits = {}
    for name, given in groups.items():
        paths = tuple(f"{name}/{number}.jpg" for number in range(len(given)))
        labels = np.arange(len(given), dtype=np.int32) % 2
        splits[name] = Split(FileImages(paths, paths), labels, given)
    return Dataset("made", ("cat", "dog"), splits)


def test_groups_in_one_split_are_no_finding() -> None:
    assert group_leak_findings(dataset(train=("a", "a", "", ""), test=("b", "", "c"))) == []
    whole = dataset(train=("a",), test=("a",))
    assert (
        group_leak_findings(replace(whole, splits={n: replace(s, groups=None) for n, s in whole.splits.items()})) == []
    )


def test_a_group_in_two_splits_is_a_problem_that_names_its_images() -> None:
    (found,) = group_leak_findings(dataset(train=("a", "b", "a"), validation=("c", "b"), test=("a", "d", "c")))
    assert (found.kind, found.severity, found.count) == ("group-leak", "problem", 4)
    assert found.sentence == (
        "3 groups are in two splits: 2 of train share their group with test, 1 of validation share their group with "
        "test, 1 of train share their group with validation."
    )
    assert [row.path for row in found.rows] == ["train/0.jpg", "train/2.jpg", "validation/0.jpg", "train/1.jpg"]
    assert found.rows[0].detail == "group a: 1 image in test"


def test_the_cheap_check_has_it() -> None:
    kinds = [finding.kind for finding in check_cheap(dataset(train=("a", "b"), test=("a", "c")))]
    assert "group-leak" in kinds
