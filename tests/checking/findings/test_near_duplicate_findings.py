"""Near-duplicates: across splits the pair is named, in one split all but the first are; other labels come first."""

from collections.abc import Sequence

import numpy as np
import pytest

from tellapart.checking.finding import Finding
from tellapart.checking.findings.near_duplicate_findings import near_duplicate_findings
from tellapart.checking.locations import find_locations
from tellapart.checking.near_duplicates import Pair
from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import FileImages

CLASSES = ("cat", "dog")
Rows = Sequence[tuple[str, str]]


def split_of(name: str, rows: Rows) -> Split:
    paths = tuple(f"{name}/{number}" for number in range(len(rows)))
    labels = np.array([CLASSES.index(label) for _, label in rows], dtype=np.int32)
    return Split(FileImages(paths, tuple(content for content, _ in rows)), labels)


def found(*pairs: tuple[str, str], **splits: Rows) -> dict[str, Finding]:
    whole = Dataset("set", CLASSES, {name: split_of(name, rows) for name, rows in splits.items()})
    near = [Pair(one, other, "mirrored") for one, other in pairs]
    return {finding.kind: finding for finding in near_duplicate_findings(whole, find_locations(whole), near)}


def pairs(finding: Finding) -> list[tuple[str, str]]:
    return [(row.path, row.other) for row in finding.rows]


CATS = [(f"cat {number}", "cat") for number in range(200)]


def test_no_pairs() -> None:
    assert found(all=CATS) == {}


@pytest.mark.parametrize("pair", [("cat 3", "cat 7"), ("cat 7", "cat 3")])
def test_in_one_split_the_first_stays(pair: tuple[str, str]) -> None:
    finding = found(pair, all=CATS)["near-copies"]
    assert (finding.severity, finding.count, pairs(finding)) == ("note", 1, [("all/7", "all/3")])
    assert finding.rows[0].detail == "mirrored"
    assert finding.sentence == "1 image is nearly the same as another one in the same split: 1 of 200 in all."


def test_of_a_family_one_stays_and_each_other_is_named_once() -> None:
    finding = found(("cat 0", "cat 1"), ("cat 1", "cat 2"), ("cat 0", "cat 2"), all=CATS)["near-copies"]
    assert pairs(finding) == [("all/1", "all/0"), ("all/2", "all/1")]


@pytest.mark.parametrize("pair", [("t", "cat 3"), ("cat 3", "t")])
def test_across_splits_the_image_in_the_earlier_one_is_to_go(pair: tuple[str, str]) -> None:
    leak = found(pair, test=[("t", "cat"), *[(f"other {n}", "cat") for n in range(99)]], train=CATS)["near-leak"]
    assert (leak.severity, leak.count, pairs(leak)) == ("warning", 1, [("train/3", "test/0")])
    assert "1 of train like one of test" in leak.sentence


def test_more_than_one_in_a_hundred_judged_images_makes_a_problem() -> None:
    leak = found(("t", "cat 3"), test=[("t", "cat"), *[(f"other {n}", "cat") for n in range(98)]], train=CATS)[
        "near-leak"
    ]
    assert leak.severity == "problem"


def test_copies_of_a_near_copy_go_too_and_test_comes_before_validation() -> None:
    leak = found(
        ("a", "b"),
        ("a", "c"),
        train=[("a", "cat"), ("a", "cat")],
        validation=[("b", "cat")],
        test=[("c", "cat")],
    )["near-leak"]
    assert pairs(leak) == [("train/0", "test/0"), ("train/1", "test/0")]


def test_exact_copies_are_not_said_again() -> None:
    both = found(("a", "b"), train=[("a", "cat"), ("a", "cat")], test=[("a", "cat"), ("b", "cat")])
    assert pairs(both["near-leak"]) == [("train/0", "test/1"), ("train/1", "test/1")]
    assert pairs(both["near-copies"]) == [("test/1", "test/0")]


def test_other_labels_come_first_and_are_suggested() -> None:
    rows = [("a", "cat"), ("b", "cat"), ("c", "cat"), ("d", "dog"), *CATS]
    finding = found(("a", "b"), ("c", "d"), all=rows)["near-copies"]
    assert [(row.path, row.label, row.suggested) for row in finding.rows] == [
        ("all/3", "dog", "cat"),
        ("all/1", "cat", ""),
    ]
    assert finding.sentence.endswith("2 of 204 in all; 1 of them under another label.")
    assert finding.severity == "warning"  # though they are few
    assert finding.advice.startswith("Look at those under another label")
