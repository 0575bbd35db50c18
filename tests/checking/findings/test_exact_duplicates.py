"""Exact copies: across splits a problem, under two labels a warning, else mostly a note."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tellapart.checking.finding import Finding
from tellapart.checking.findings.exact_duplicates import exact_duplicate_findings
from tellapart.checking.locations import find_locations
from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import FileImages

CLASSES = ("cat", "dog", "cow")
Rows = list[tuple[str, str]]


def made(**splits: Rows) -> Dataset:
    """Make a data set of (content, label) rows; the file n of a split is called split/n."""
    return Dataset("set", CLASSES, {name: split_of(name, rows) for name, rows in splits.items()})


def split_of(name: str, rows: Rows) -> Split:
    paths = tuple(f"{name}/{number}" for number in range(len(rows)))
    digests = tuple(hashlib.sha256(content.encode()).hexdigest() for content, _ in rows)
    return Split(FileImages(paths, digests), np.array([CLASSES.index(label) for _, label in rows], dtype=np.int32))


def found(**splits: Rows) -> dict[str, Finding]:
    whole = made(**splits)
    return {finding.kind: finding for finding in exact_duplicate_findings(whole, find_locations(whole))}


def pairs(finding: Finding) -> list[tuple[str, str]]:
    return [(row.path, row.other) for row in finding.rows]


DISTINCT = [(f"more {number}", "cow") for number in range(100)]


def test_nothing_twice() -> None:
    assert found(train=DISTINCT, test=[("a", "cat"), ("b", "dog")]) == {}


def test_a_leak_names_both_splits_and_each_pair() -> None:
    leak = found(
        test=[("a", "cat"), ("b", "dog")],
        validation=[("c", "cat"), ("a", "cat")],
        train=[("c", "cat"), ("a", "cat"), ("b", "dog"), ("d", "dog")],
    )["leak"]
    assert (leak.severity, leak.count) == ("problem", 4)
    # Leaks into the test split first; the copy in the earlier split is the one to leave out.
    assert pairs(leak) == [
        ("train/1", "test/0"),
        ("validation/1", "test/0"),
        ("train/2", "test/1"),
        ("train/0", "validation/0"),
    ]
    assert [row.detail for row in leak.rows][::3] == ["train and test", "train and validation"]
    assert leak.sentence == (
        "4 images are in two splits: 2 of train also in test, 1 of validation also in test, 1 of train also in "
        "validation."
    )


def test_two_labels_are_both_named() -> None:
    both = found(all=[("a", "cat"), ("b", "dog"), ("a", "dog"), ("a", "cat"), *DISTINCT])
    finding = both["two-labels"]
    assert (finding.severity, finding.count) == ("warning", 3)
    assert "3 images have an exact copy under another label: cat and dog (3)." in finding.sentence
    assert [(row.path, row.label, row.suggested, row.other) for row in finding.rows] == [
        ("all/0", "cat", "dog", "all/2"),
        ("all/2", "dog", "cat", "all/0"),
        ("all/3", "cat", "dog", "all/2"),
    ]
    assert pairs(both["copies"]) == [("all/3", "all/0")]


def test_many_pairs_of_labels_are_cut() -> None:
    names = [f"class {number}" for number in range(30)]
    rows = [(f"{number // 2}", number) for number in range(30)]
    digests = tuple(hashlib.sha256(content.encode()).hexdigest() for content, _ in rows)
    labels = np.array([label for _, label in rows], dtype=np.int32)
    whole = Dataset("set", tuple(names), {"all": Split(FileImages(tuple(map(str, range(30))), digests), labels)})
    (finding,) = exact_duplicate_findings(whole, find_locations(whole))
    assert finding.sentence.endswith("class 8 and class 9 (2), and 10 more such sets of labels.")


def test_copies_of_one_class_in_one_split() -> None:
    few = found(train=[("a", "cat"), ("a", "cat"), *DISTINCT], test=[("b", "dog")])["copies"]
    assert (few.severity, few.count, pairs(few)) == ("note", 1, [("train/1", "train/0")])
    assert few.sentence == ("1 image is an exact copy of one of the same class in the same split: 1 of 102 in train.")
    many = found(train=[("a", "cat")] * 8 + DISTINCT)["copies"]
    assert (many.severity, many.count) == ("warning", 7)


ROWS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(CLASSES)), max_size=12)


@given(ROWS, ROWS, ROWS)
def test_without_what_leaks_and_repeats_each_content_is_there_once(train: Rows, validation: Rows, test: Rows) -> None:
    whole = made(train=train, validation=validation, test=test)
    findings = exact_duplicate_findings(whole, find_locations(whole))
    gone = {row.path for finding in findings if finding.kind in ("leak", "copies") for row in finding.rows}
    left = [
        (content, label)
        for name, rows in (("train", train), ("validation", validation), ("test", test))
        for number, (content, label) in enumerate(rows)
        if f"{name}/{number}" not in gone
    ]
    assert len(set(left)) == len(left)
    assert {content for content, _ in left} == {content for content, _ in [*train, *validation, *test]}
    assert all(finding.count == len(finding.rows) for finding in findings)
