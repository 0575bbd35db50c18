"""Classes without images, absent from a split, tiny, or far smaller than another."""

from collections.abc import Sequence

import numpy as np
import pytest

from tellapart.checking.finding import Finding
from tellapart.checking.findings.classes import class_findings
from tellapart.checking.locations import find_locations
from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import FileImages

NAMES = ("cat", "dog", "cow")


def split_of(name: str, counts: Sequence[int], *, copies: bool = False) -> Split:
    """So many images of each class; as `copies` all of one class are the same."""
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    paths = tuple(f"{name}/{number}" for number in range(len(labels)))
    digests = tuple(f"{name} {label}" for label in labels) if copies else paths
    return Split(FileImages(paths, digests), labels)


def found(names: Sequence[str] = NAMES, *, copies: bool = False, **counts: Sequence[int]) -> dict[str, Finding]:
    splits = {name: split_of(name, each, copies=copies) for name, each in counts.items()}
    whole = Dataset("set", tuple(names), splits)
    return {finding.kind: finding for finding in class_findings(whole, find_locations(whole))}


def test_enough_of_each() -> None:
    assert found(all=[10, 12, 29]) == {}
    assert found(train=[20, 20, 20], test=[1, 1, 1]) == {}
    assert found(test=[1, 2, 60]) == {}  # nothing is learned from it


def test_a_class_without_images() -> None:
    finding = found(train=[20, 0, 20], test=[5, 0, 5])["empty-class"]
    assert (finding.severity, finding.count) == ("problem", 1)
    assert finding.sentence == "1 class has no image that can be read: dog."


def test_a_split_that_lacks_a_class() -> None:
    lacking = found(train=[20, 20, 20], validation=[0, 0, 5], test=[5, 0, 5])
    finding = lacking["missing-class"]
    assert (finding.severity, finding.count) == ("problem", 3)
    assert finding.sentence == ("The validation split has no image of cat and dog; the test split has no image of dog.")
    assert "empty-class" not in lacking
    assert found(train=[20, 20, 20], test=[5, 0, 5])["missing-class"].severity == "warning"


@pytest.mark.parametrize(("counts", "severity"), [([9, 20, 20], "warning"), ([1, 20, 20], "problem")])
def test_tiny_classes(counts: list[int], severity: str) -> None:
    finding = found(all=counts)["tiny-class"]
    assert (finding.severity, finding.count, len(finding.rows)) == (severity, 1, counts[0])
    assert f"fewer than 10 distinct images: cat {counts[0]}" in finding.sentence


def test_one_image_to_learn_from_is_few_where_others_judge() -> None:
    assert found(train=[1, 20, 20], test=[5, 5, 5])["tiny-class"].severity == "warning"


def test_copies_do_not_make_a_class_larger() -> None:
    finding = found(all=[30, 30, 30], copies=True)["tiny-class"]
    assert (finding.severity, finding.count, len(finding.rows)) == ("problem", 3, 3)
    assert finding.rows[0].detail == "the only one"


def test_the_smallest_class_comes_first() -> None:
    finding = found(all=[7, 2, 20])["tiny-class"]
    assert [row.label for row in finding.rows] == ["dog"] * 2 + ["cat"] * 7
    assert "dog 2 and cat 7" in finding.sentence


@pytest.mark.parametrize(
    ("counts", "severity", "count"),
    [
        ([60, 20, 60], "note", 1),
        ([90, 10, 90], "note", 1),
        ([91, 10, 30], "warning", 2),
        ([9_000, 20, 20], "warning", 2),
    ],
)
def test_imbalance(counts: list[int], severity: str, count: int) -> None:
    finding = found(train=counts)["imbalance"]
    assert (finding.severity, finding.count) == (severity, count)


def test_imbalance_says_what_always_answering_one_class_is_worth() -> None:
    assert found(all=[9_000, 20, 980])["imbalance"].sentence == (
        "The largest class, cat, has 9,000 images, 450 times as many as the smallest, dog, with 20; always "
        "predicting cat would be 90% accurate."
    )
    assert "imbalance" not in found(all=[59, 20, 59])


def test_names_that_would_move_the_cursor_are_escaped() -> None:
    hostile = ("\x1b[2J", "two\nlines", "\u202egpj")
    for finding in found(hostile, all=[1, 1, 100]).values():
        assert finding.sentence.isprintable()


def test_a_thousand_tiny_classes_are_cut() -> None:
    finding = found([f"c{number}" for number in range(1000)], all=[2] * 1000)["tiny-class"]
    assert "1,000 classes have" in finding.sentence
    assert finding.sentence.endswith("c4 2 and 995 more.")
