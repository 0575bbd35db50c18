"""The names of classes."""

import unicodedata

import pytest

from tellapart.data.sources.class_names import (
    canonical,
    parse_excluded,
    require_distinct_case,
    require_printable,
    require_two_classes,
)
from tellapart.errors import DatasetError

DECOMPOSED = unicodedata.normalize("NFD", "café")


def test_one_spelling_for_what_looks_the_same() -> None:
    assert DECOMPOSED != "café"
    assert canonical(DECOMPOSED) == canonical(" café\u00a0") == "café"
    assert canonical("a  b") == "a  b"


@pytest.mark.parametrize(
    "name",
    ["naïve", "猫", "می\u200cخواهم", "क्\u200dष", "a\u00a0b", "10\u3000号", 'it\'s, "quoted"', "=1+1", "<b>", "😺"],
)
def test_any_script_and_any_sign_that_can_be_shown_is_taken(name: str) -> None:
    require_printable([name], "class {}")


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x00b", "caf\udce9", "a\u2028b", "a\u202eb"])
def test_what_cannot_be_shown_is_refused_by_its_escapes(name: str) -> None:
    with pytest.raises(DatasetError) as refused:
        require_printable(["cat", name], "class {} of photos")
    assert str(refused.value).startswith(f"class {name!r} of photos has a name that cannot be printed")
    assert str(refused.value).isprintable()


def test_names_that_differ_in_case_alone_are_refused_together() -> None:
    with pytest.raises(DatasetError, match="photos has the classes 'Cat' and 'cat', which differ in case alone: give"):
        require_distinct_case(["cat", "dog", "Cat"], "photos")
    require_distinct_case(["Straße", "Strasse", "T-shirt", "shirt"], "photos")


def test_single_letters_of_either_case_are_classes_of_handwriting() -> None:
    require_distinct_case(["A", "a", "B", "b"], "letters")


@pytest.mark.parametrize(("names", "found"), [([], "has no class left"), (["cat"], "has one class, 'cat'")])
def test_fewer_than_two_are_refused(names: list[str], found: str) -> None:
    with pytest.raises(DatasetError, match=f"^photos {found}: telling apart needs at least two. Add some$"):
        require_two_classes(names, "photos", "Add some")


NAMES = {"Not sure", "Skip", "Other", "salt, pepper", "café"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((), set()),
        (("Not sure,Skip , Other,",), {"Not sure", "Skip", "Other"}),
        (("Skip", "Other"), {"Skip", "Other"}),
        (("salt, pepper", "Skip"), {"salt, pepper", "Skip"}),
        ((DECOMPOSED,), {"café"}),
    ],
)
def test_labels_to_leave_out_come_one_by_one_or_with_commas_between(asked: tuple[str, ...], expected: set[str]) -> None:
    assert parse_excluded(asked, NAMES, "photos") == expected


def test_a_label_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(DatasetError, match=r"photos has no class 'not sure' to exclude: did you mean Not sure\?"):
        parse_excluded(("Skip,not sure",), NAMES, "photos")
