"""The page of a check: small, offline, names as text, duplicates side by side, doubtful labels with row numbers."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tellapart.checking.finding import Finding, Row, Severity
from tellapart.checking.findings_csv import findings_text
from tellapart.data.dataset import Dataset, Split
from tellapart.data.images import ArrayImages
from tellapart.errors import StorageError
from tellapart.reports.check_page import (
    MAX_ROWS,
    CheckResult,
    check_html,
    path_below,
    summarize_severities,
    write_check,
)
from tellapart.reports.render import byte_count

HOSTILE = '<img src=x onerror=alert(1)>&"<b>'


def checked(dataset: Dataset, *findings: Finding, table: Path | None = Path("findings.csv")) -> CheckResult:
    return CheckResult(dataset, findings, table, "tellapart train photos --skip findings.csv", "now")


def row(dataset: Dataset, index: int, suggested: str = "", other: int | None = None, detail: str = "") -> Row:
    split = dataset.splits["all"]
    name = split.images.name
    twin = "" if other is None else name(other)
    label = dataset.classes[split.labels[index]]
    return Row(name(index), split.images.digests[index], "all", label, suggested, twin, detail)


@pytest.fixture(scope="module")
def dataset(tiny: Path) -> Dataset:
    return Dataset.open(tiny)


@pytest.fixture(scope="module")
def everything(dataset: Dataset) -> CheckResult:
    gone = Row(f"{dataset.source}/red/{HOSTILE}.png", "", "all", "red", detail="is cut off")
    return checked(
        dataset,
        Finding("unreadable", "problem", 1, "1 file cannot be read.", "Mend it.", (gone,)),
        Finding("imbalance", "warning", 2, "red has more than blue.", "Add some."),
        Finding("near-copies", "warning", 1, "1 near-duplicate.", "", (row(dataset, 0, other=13, detail="mirrored"),)),
        Finding(
            "label-error", "note", 2, "2 in doubt.", "", tuple(row(dataset, i, "green", detail="9 %") for i in (3, 4))
        ),
        Finding("blank", "note", 1, f"1 image is blank: {HOSTILE}", "", (row(dataset, 5),)),
    )


def test_the_page_is_complete_without_a_network_and_without_scripts(
    everything: CheckResult, page: Page, tmp_path: Path
) -> None:
    path = tmp_path / "check.html"
    write_check(everything, path)
    page.goto(path.as_uri())
    assert page.locator("script").count() == 0
    assert page.locator("b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    images = page.locator("main img")
    expect(images).to_have_count(5)
    assert images.evaluate_all("all => all.every((one) => one.complete && one.naturalWidth === 120)")
    expect(page.locator("h1")).to_have_text("tiny")
    expect(page.locator(".headline")).to_have_text("1 problem, 2 warnings and 2 notes in 36 images of 3 classes.")
    expect(page.locator("#blank")).to_contain_text(HOSTILE)


def test_every_finding_has_a_section_that_the_contents_lead_to(everything: CheckResult, page: Page) -> None:
    page.set_content(check_html(everything))
    links = page.locator("nav a").evaluate_all("all => all.map((one) => one.hash)")
    assert links == ["#next", "#unreadable", "#imbalance", "#near-copies", "#label-error", "#blank", "#images"]
    assert page.locator("section").evaluate_all("all => all.map((one) => '#' + one.id)") == links
    assert page.locator(".summary a").evaluate_all("all => all.map((one) => one.hash)") == links[1:-1]
    expect(page.locator("#imbalance")).to_contain_text("Add some.")
    expect(page.locator("#next")).to_contain_text("Add some.")
    expect(page.locator("#unreadable")).to_contain_text(f"red/{HOSTILE}.png is cut off")
    expect(page.locator("#next")).to_contain_text("tellapart train photos --skip findings.csv")


def test_duplicates_are_side_by_side_each_with_its_label(everything: CheckResult, page: Page) -> None:
    page.set_content(check_html(everything))
    pair = page.locator("#near-copies li")
    expect(pair.locator("img")).to_have_count(2)
    first, second = (pair.locator("figcaption").nth(i) for i in range(2))
    expect(first).to_contain_text("blue")
    expect(first).to_contain_text("blue/00.png")
    expect(second).to_contain_text("green")
    expect(second).to_contain_text("green/01.png")
    expect(pair).to_contain_text("mirrored")


def test_a_doubtful_label_has_the_suggested_label_and_its_row_in_the_table(everything: CheckResult, page: Page) -> None:
    page.set_content(check_html(everything))
    doubts = page.locator("#label-error li")
    expect(doubts).to_have_count(2)
    lines = findings_text(everything.findings).splitlines()
    for doubt, number in zip(doubts.all(), (4, 5), strict=True):
        expect(doubt).to_contain_text("label blue")
        expect(doubt).to_contain_text("suggested green")
        expect(doubt).to_contain_text("9 %")
        expect(doubt).to_contain_text(f"row {number}")
        assert (doubt.locator(".file bdi").text_content() or "none") in lines[number - 1]


def test_without_a_table_there_are_no_row_numbers(everything: CheckResult) -> None:
    assert "findings.csv" not in check_html(checked(everything.dataset, *everything.findings, table=None)).replace(
        everything.command, ""
    )


def test_a_page_of_many_findings_stays_within_its_size(dataset: Dataset) -> None:
    many = tuple(row(dataset, i % 36, "red") for i in range(5_000))
    findings = [
        Finding("label-error", "warning", 5_000, "Many.", "", many),
        Finding("blank", "note", 5_000, "", "", many),
    ]
    whole = check_html(checked(dataset, *findings))
    assert whole.count("<img") == 2 * MAX_ROWS["labels"]
    assert "4,760 more are in <bdi>findings.csv</bdi>" in whole
    bare = check_html(checked(dataset, *findings), most=0)
    assert bare.count("<img") == 0
    room = 1_000_000
    small = check_html(checked(dataset, *findings), most=byte_count(bare) + room)
    assert 0 < byte_count(small) - byte_count(bare) <= room
    assert small.count("<img") > 0


def test_images_in_arrays_are_shown_too(page: Page) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    digests = tuple(f"{i:064}" for i in range(4))
    dataset = Dataset("a", ("0", "1"), {"all": Split(ArrayImages(pixels, digests), np.array([0, 0, 1, 1], np.int32))})
    page.set_content(check_html(checked(dataset, Finding("blank", "note", 1, "One.", "", (row(dataset, 3),)))))
    expect(page.locator("#blank img")).to_have_count(1)


def test_a_page_without_findings_says_so(dataset: Dataset) -> None:
    assert "No findings in 36 images of 3 classes." in check_html(checked(dataset, table=None))


@pytest.mark.parametrize(
    ("severities", "summary"),
    [
        ((), ""),
        (("note",), "1 note"),
        (("note", "problem", "note"), "1 problem and 2 notes"),
        (("problem", "warning", "note"), "1 problem, 1 warning and 1 note"),
    ],
)
def test_the_summary_counts_findings_by_severity(severities: tuple[Severity, ...], summary: str) -> None:
    assert summarize_severities([Finding("blank", severity, 1, "", "") for severity in severities]) == summary


def test_paths_are_relative_to_the_source() -> None:
    assert [path_below("a/b/c.png", source) for source in ("a", "a/", "a/b", "b", None)] == [
        "b/c.png", "b/c.png", "c.png", "a/b/c.png", "a/b/c.png",
    ]  # fmt: skip


def test_a_path_that_cannot_be_written_is_an_error(everything: CheckResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError):
        write_check(everything, tmp_path / "file" / "check.html")


def test_an_image_with_two_labels_is_first_and_large_under_both(dataset: Dataset, page: Page) -> None:
    both = (row(dataset, 0, other=13), row(dataset, 13, other=0))
    twice = Finding("two-labels", "warning", 2, "2 images have two labels.", "Choose one.", both)
    gone = Finding("unreadable", "problem", 1, "1 file cannot be read.", "", (row(dataset, 2),))
    page.set_content(check_html(checked(dataset, gone, twice)))
    ids = page.locator("section").evaluate_all("all => all.map((one) => one.id)")
    assert ids == ["next", "two-labels", "unreadable", "images"]
    expect(page.locator("#two-labels .name")).to_have_text(["blue", "green"])
    expect(page.locator("#two-labels .file:has-text('row')")).to_have_text(["row 3", "row 4"])  # places in the table
    assert "more are in" not in page.locator("#two-labels").inner_text()
    assert page.locator("#two-labels img").evaluate_all("all => all.every((one) => one.naturalWidth > 200)")
    assert page.locator("#unreadable img").evaluate_all("all => all.every((one) => one.naturalWidth === 120)")
