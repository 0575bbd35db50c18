"""Unreadable files are named with the reason; files that are no images are reported once."""

import numpy as np

from tellapart.checking.finding import Row
from tellapart.checking.findings.unreadable_files import (
    drop_unreadable,
    failure_reasons,
    other_file_findings,
    unreadable_findings,
)
from tellapart.checking.locations import find_locations
from tellapart.data.dataset import Dataset, Skipped, Split
from tellapart.data.images import FileImages


def split_of(name: str, digests: str) -> Split:
    paths = tuple(f"{name}/{number}" for number in range(len(digests)))
    return Split(FileImages(paths, tuple(digests)), np.arange(len(digests), dtype=np.int32) % 2)


def made(skipped: tuple[Skipped, ...] = (), files: tuple[str, ...] = ()) -> Dataset:
    splits = {"train": split_of("train", "abab"), "test": split_of("test", "bc")}
    return Dataset("set", ("cat", "dog"), splits, skipped, others=files)


def test_nothing_odd() -> None:
    assert unreadable_findings(made()) == other_file_findings(made()) == []


def test_unreadable_files_are_named_with_their_reason() -> None:
    skipped = (Skipped("x.jpg", "cannot be read"), Skipped("y.jpg", "left out by findings.csv, line 2 (blank)"))
    (finding,) = unreadable_findings(made(skipped), [Row("z.jpg", "d", "train", "cat", detail="the file is empty")])
    assert (finding.severity, finding.count) == ("warning", 2)
    assert [(row.path, row.detail) for row in finding.rows] == [
        ("x.jpg", "cannot be read"),
        ("z.jpg", "the file is empty"),
    ]
    assert finding.sentence == (
        "2 files cannot be used and will be skipped, x.jpg first: cannot be read (1) and the file is empty (1)."
    )


def test_what_a_person_left_out_is_no_unreadable_file() -> None:
    assert unreadable_findings(made((Skipped("y.jpg", "left out by findings.csv, line 2 (blank)"),))) == []


def test_undecodable_images_and_their_copies_are_taken_out() -> None:
    whole = made()
    left, rows = drop_unreadable(whole, find_locations(whole), {"b": "cut off", "never listed": "?"})
    assert left.splits["train"].images.digests == ("a", "a")
    assert left.splits["test"].images.digests == ("c",)
    assert [(row.path, row.split, row.label, row.detail) for row in rows] == [
        ("train/1", "train", "dog", "cut off"),
        ("train/3", "train", "dog", "cut off"),
        ("test/0", "test", "cat", "cut off"),
    ]
    assert failure_reasons({"b": "cut off"}) == {"b": "cut off"}


def test_other_files_are_told_once_with_a_few_names() -> None:
    (finding,) = other_file_findings(made(files=("a.txt", "b\n.pdf", "c.doc", "d.xls", "e.tmp")))
    assert (finding.severity, finding.count, finding.rows) == ("note", 5, ())
    assert finding.sentence == "5 files are not images and are ignored: a.txt, b\\n.pdf, c.doc and 2 more."


def test_reasons_are_counted_together_wherever_a_table_names_the_files() -> None:
    skipped = tuple(Skipped(f"{line}.jpg", f"is not there (line {line} of labels.csv)") for line in (2, 1_000))
    (finding,) = unreadable_findings(made(skipped))
    assert finding.sentence.endswith("2.jpg first: is not there (2).")
    assert [row.detail for row in finding.rows] == [one.reason for one in skipped]


def test_images_in_formats_that_are_not_read_are_a_warning_by_format_and_class() -> None:
    files = ("set/cat/1.DCM", "set/cat/2.dcm", "set/dog/3.svg", "set/4.dcm", "set/notes.txt")
    unread, others = other_file_findings(made(files=files))
    assert (unread.kind, unread.severity, unread.count) == ("unread-format", "warning", 4)
    assert unread.sentence == (
        "4 images are left out, since the format is not read (.dcm 3, .svg 1): 2 of 5 of cat and 1 of 4 of dog."
    )
    assert unread.advice == (
        "To have them read, .dcm: export it to PNG or TIFF with the window that shows what matters, as with "
        "`dcm2img IN OUT.png`; .svg: render it to PNG, as with `rsvg-convert IN -o OUT.png`."
    )
    assert (others.kind, others.count) == ("other-files", 1)
