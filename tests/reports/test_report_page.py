"""The page of a report: names as text, offline, no overflow, images that open, a section for each split."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tellapart.errors import RunError, StorageError, require
from tellapart.judging.confusion import ConfusionCells
from tellapart.judging.evaluation import judge
from tellapart.reports import figures, metric_lines
from tellapart.reports.report import (
    Baseline,
    Calibration,
    DatasetFacts,
    Drawing,
    EvaluatedSplit,
    Explanation,
    NamedValue,
    Report,
    SplitReport,
    Table,
    Thumbnail,
    data_uri,
    thumbnail_jpeg,
)
from tellapart.reports.report_page import (
    MAX_BYTES,
    confusion_cells,
    counts_table,
    most_confident_mistakes,
    most_confused_cells,
    report_html,
    write_report,
)

CLASSES = ("dress", "hat", "shirt")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><b>&amp;'{{ 7 * 7 }}",
    "שלום עולם",
    "👗🧥",
    "x" * 200,
)
SRC = data_uri(thumbnail_jpeg(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)))


def drawing(title: str = "A figure", name: str = "a line") -> Drawing:
    line = {"type": "scatter", "x": [0, 1, 2], "y": [0, 1, 4], "name": name, "line": {"color": "#000000"}}
    graph = require("plotly.graph_objects", extra="train").Figure([line], {"height": 240})
    return Drawing(title, "Higher is better.", graph)


def split_report(split: EvaluatedSplit, value: str, classes: tuple[str, ...] = CLASSES, each: int = 2) -> SplitReport:
    """Report a split where every class is predicted as every class `each` times, with distinct probabilities."""
    images = tuple(
        Thumbnail(SRC, f"{split} {i} {true}.jpg", true, predicted, probability=(1 + i) / (2 + each))
        for true, predicted in product(classes, classes)
        for i in range(each)
    )
    return SplitReport(
        split=split,
        n=len(images),
        metrics=(NamedValue("Accuracy", value, f"{value} to {value}", "The share that is right."),),
        classes=classes,
        counts=ConfusionCells.of_matrix(np.full((len(classes), len(classes)), each)),
        images=images,
        per_class=Table(("class", "F1"), tuple((name, value) for name in classes)),
        drawings=(drawing(),),
        baselines=(Baseline("majority", NamedValue("Accuracy", value), NamedValue("Difference", value), value),),
        declined=(NamedValue("Answered", value),),
        uses=1,
    )


def report(classes: tuple[str, ...] = CLASSES) -> Report:
    name = classes[-1]
    example = Thumbnail(SRC, f"{classes[0]}.jpg", true=classes[0])
    return Report(
        title=f"Run of {name}",
        created="22 November 2026",
        command=f"tellapart train {name}",
        recipe={"model": "mlp", "adopt": name},
        dataset=DatasetFacts(
            name, "f" * 64, classes, {"train": (5,) * len(classes), "test": (2,) * len(classes)}, (example,)
        ),
        history=drawing(),
        splits=(split_report("test", "22.2%", classes), split_report("validation", "11.1%", classes)),
        calibration=Calibration(
            1.5, NamedValue("Before", "0.1"), NamedValue("After", "0.05"), 0.6, (NamedValue("Answered", "11.1%"),)
        ),
        explanations=(Explanation(example, example, classes[0], 0.9, 0.6, 0.5, 0.4, 0.5),),
        size_and_speed=(NamedValue("Bundle", "4 MB"),),
        environment=(NamedValue("Python", "3.11"),),
        skipped=(NamedValue(f"{name}.jpg", "cannot be decoded"),),
        notes=(f"a note about {name}",),
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(report(), path)
    return path


def drawn(page: Page, path: Path) -> None:
    page.goto(path.as_uri())
    expect(page.locator(".plot:visible:not(:has(.main-svg))")).to_have_count(0)


def sections(html: str) -> dict[str, str]:
    return dict(re.findall(r'<section id="(\w+)">(.*?)</section>', html, re.DOTALL))


OVERFLOWING = """() => [...document.querySelectorAll("nav *, main *, dialog *")]
    .filter((one) => !one.closest(".wide table, .plot, dialog:not([open])") && one.checkVisibility())
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5 || one.getBoundingClientRect().left < -0.5)
    .map((one) => one.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("classes", [CLASSES, HOSTILE], ids=["plain", "hostile"])
def test_the_page_is_complete_without_a_network_and_nothing_overflows_a_phone(
    classes: tuple[str, ...], page: Page, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    write_report(report(classes), path)
    drawn(page, path)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(OVERFLOWING) == []
    page.locator("#test .matrix a").last.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate("album.scrollWidth <= album.clientWidth")


def test_names_are_text_and_never_markup(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(report(HOSTILE), path)
    drawn(page, path)
    assert page.locator("script:not([type])").count() == 2
    assert page.locator("b, img:not([src^='data:image/jpeg'])").count() == 0
    names = page.locator("#test .matrix tbody th").all_inner_texts()
    assert names == list(HOSTILE)
    page.locator("#test .matrix a").nth(1).click()
    expect(page.locator("#album-name")).to_have_text(f"{HOSTILE[0]} predicted as {HOSTILE[1]}: 2")
    expect(page.get_by_role("dialog").locator(".file").first).to_have_text(f"test 1 {HOSTILE[0]}.jpg")


def test_a_figure_cannot_end_its_script_element() -> None:
    html = report_html(replace(report(), history=drawing(name="</script><script>alert(1)</script>")))
    assert "<script>alert" not in html
    assert "\\u003c/script>\\u003cscript>alert" in html


def test_a_cell_opens_its_images_by_mouse_and_by_keyboard(page: Page, file: Path) -> None:
    drawn(page, file)
    cell = page.locator("#test .matrix a").nth(1)
    album = page.get_by_role("dialog")
    cell.click()
    expect(album).to_be_visible()
    expect(album.get_by_role("heading")).to_have_text("dress predicted as hat: 2")
    expect(album.locator(".file")).to_have_text(["test 1 dress.jpg", "test 0 dress.jpg"])  # the most confident first
    expect(album.get_by_role("img")).to_have_count(2)
    album.get_by_role("button", name="Close").click()
    expect(album).to_be_hidden()
    page.locator("#validation summary").first.click()
    page.locator("#validation .matrix a").nth(2).focus()
    page.keyboard.press("Enter")
    expect(album.locator(".file").first).to_have_text("validation 1 dress.jpg")
    page.keyboard.press("Escape")
    expect(album).to_be_hidden()
    expect(page.locator("#validation .matrix a").nth(2)).to_be_focused()


def test_with_many_classes_a_click_on_the_figure_opens_the_images(page: Page, tmp_path: Path) -> None:
    classes = tuple(f"class {i}" for i in range(26))
    labels, predicted = np.divmod(np.arange(26 * 26), 26)
    heat = figures.confusion(judge(labels, np.eye(26)[predicted], classes))
    many = replace(split_report("test", "3.8%", classes, each=1), confusion=Drawing("Confusion", "Red is wrong.", heat))
    path = tmp_path / "report.html"
    write_report(replace(report(), splits=(many,)), path)
    drawn(page, path)
    assert page.locator(".matrix").count() == 0
    cells_of_it = page.locator("#test-confusion .nsewdrag")
    box = cells_of_it.bounding_box()
    assert box
    cells_of_it.click(position={"x": box["width"] * 4.5 / 26, "y": box["height"] * 2.5 / 26})
    expect(page.locator("#album-name")).to_have_text("class 2 predicted as class 4: 1")


def test_without_scripts_the_tables_are_there_and_a_cell_leads_to_its_images(browser: Browser, file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    expect(page.get_by_text("Scripts are off")).to_be_visible()
    expect(page.locator("#test .numbers").first).to_be_visible()
    page.locator("#test .more summary").first.click()
    expect(page.locator("#test .lines").first).to_be_visible()
    images = page.locator("#test-cell-0-1 img")
    expect(images.first).to_be_hidden()
    page.locator("#test .matrix a").nth(1).click()
    expect(images.first).to_be_visible()
    context.close()


def test_figures_take_the_colours_of_the_background_and_fit_on_paper(page: Page, file: Path) -> None:
    text = page.locator("#history .xtick text").first
    drawn(page, file)
    light = text.evaluate("text => getComputedStyle(text).fill")
    page.emulate_media(color_scheme="dark")
    expect(text).not_to_have_css("fill", light)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 990})  # A4 less its margins
    expect(text).to_have_css("fill", light)
    assert page.evaluate(OVERFLOWING) == []
    assert page.locator("#history .main-svg").first.evaluate("svg => svg.clientWidth") == 660
    for hidden in ("nav", ".albums", "dialog"):
        expect(page.locator(hidden).first).to_be_hidden()


def test_validation_and_test_have_sections_of_their_own() -> None:
    html = report_html(report())
    by_section = sections(html)
    assert list(by_section) == [
        "test", "learning", "calibration", "explanations", "notes", "images", "validation", "recipe", "machine",
    ]  # fmt: skip
    assert "11.1%" in by_section["validation"]
    assert "22.2%" in by_section["test"]
    assert "22.2%" not in by_section["validation"] + by_section["calibration"]
    assert "11.1%" not in by_section["test"]
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        assert not ("11.1%" in table and "22.2%" in table)
    heads = re.findall(r"<th scope=\"col\">(.*?)</th>", by_section["images"])
    assert heads == ["class", "train", "test"]
    assert [name for name in re.findall(r'href="#(\w+)"', html) if "cell" not in name] == list(by_section)


def test_the_headline_is_of_the_test_split_or_called_optimistic() -> None:
    whole = report()
    assert re.search(
        r"<strong>22.2%</strong> accuracy on 18 test images.*No choice was made", report_html(whole), re.DOTALL
    )
    chosen = report_html(replace(whole, splits=whole.splits[1:]))
    assert re.search(r"<strong>11.1%</strong> accuracy on 18 validation images.*optimistic", chosen, re.DOTALL)
    assert 'class="headline"' not in report_html(replace(whole, splits=()))


@pytest.mark.parametrize(("uses", "words"), [(1, "evaluated once"), (3, "evaluated 3 times"), (None, "set aside")])
def test_the_page_gives_the_uses_of_the_test_split(uses: int | None, words: str) -> None:
    whole = report()
    by_section = sections(report_html(replace(whole, splits=(replace(whole.splits[0], uses=uses),))))
    assert words in by_section["test"]
    assert ("optimistic" in by_section["test"]) is (uses == 3)


def test_empty_parts_have_no_section() -> None:
    bare = Report("a", "now", "tellapart train", DatasetFacts("a", "f", ("x",), {"train": (1,)}))
    assert list(sections(report_html(bare))) == ["images", "recipe", "machine"]
    assert "No file was skipped" in report_html(bare)


def test_cells_pairs_and_mistakes_come_from_the_counts_and_the_images() -> None:
    split = replace(
        split_report("test", "1%"), counts=ConfusionCells.of_matrix(np.array([[8, 0, 4], [1, 5, 0], [2, 2, 9]]))
    )
    grid = confusion_cells(split)
    assert (grid[0][2].count, grid[0][2].of, grid[0][2].shade) == (4, 12, 1.0)
    assert grid[1][0].shade == pytest.approx((1 / 6) / (1 / 3))
    assert grid[1][1].correct
    assert [(cell.true, cell.predicted, cell.count) for cell in most_confused_cells(split)] == [
        ("dress", "shirt", 4), ("shirt", "dress", 2), ("shirt", "hat", 2), ("hat", "dress", 1),
    ]  # fmt: skip
    mistakes = most_confident_mistakes(split)
    assert all(thumb.true != thumb.predicted for thumb in mistakes)
    assert [thumb.probability for thumb in mistakes] == [0.5] * 6 + [0.25] * 6


@pytest.mark.parametrize(("kilobytes", "all_there"), [(3, True), (12, False)])
def test_two_thousand_images_stay_within_the_limit_mistakes_first(kilobytes: int, all_there: bool) -> None:
    src = "data:image/jpeg;base64," + "A" * (kilobytes * 1000 * 4 // 3)
    names = [("dress", "dress")] * 1800 + [("dress", "hat")] * 200
    images = tuple(Thumbnail(src, f"{i}.jpg", *both, probability=0.9) for i, both in enumerate(names))
    many = replace(
        split_report("test", "90%"),
        images=images,
        counts=ConfusionCells.of_matrix(np.array([[1800, 200, 0], [0, 0, 0], [0, 0, 0]])),
    )
    html = report_html(replace(report(), splits=(many,)))
    assert 0.8 * MAX_BYTES < len(html.encode()) <= MAX_BYTES
    assert ("images are left out" not in html) is all_there
    assert html.count(src) >= (2000 if all_there else 200)
    assert "dress</bdi> predicted as <bdi>hat</bdi>: 200</summary>" in html


def test_no_image_is_left_when_there_is_no_room() -> None:
    html = report_html(report(), most=1_000_000)  # plotly alone is larger
    assert "<img" not in html
    assert "38 images are left out" in html


def test_a_report_that_contradicts_itself_is_refused() -> None:
    whole = report()
    test = whole.splits[0]
    for bad, words in [
        ((test, test), "at most once"),
        ((replace(test, counts=ConfusionCells.of_matrix(np.ones((2, 2), int))),), "has 2 classes, expected 3"),
        ((replace(test, images=(Thumbnail(SRC, "a.jpg", "dress", "coat"),)),), "'coat', which is not among"),
    ]:
        with pytest.raises(RunError, match=words):
            report_html(replace(whole, splits=bad))


def test_a_file_name_that_is_not_utf_8_is_written_unchanged(tmp_path: Path) -> None:
    odd = "caf\udce9.jpg"  # how Python holds the byte E9
    write_report(replace(report(), skipped=(NamedValue(odd, "no image"),)), tmp_path / "report.html")
    assert b"<bdi>caf\xe9.jpg</bdi>" in (tmp_path / "report.html").read_bytes()


def test_a_path_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError):
        write_report(report(), tmp_path / "file" / "report.html")


def test_the_result_is_first_and_the_rest_opens_from_its_link(page: Page, file: Path) -> None:
    drawn(page, file)
    tops = page.locator("main > section").evaluate_all(
        "all => all.map((one) => [one.id, one.getBoundingClientRect().top])"
    )
    assert tops[0][0] == "test"
    assert page.locator("#test").evaluate("one => one.querySelector('.matrix').getBoundingClientRect().top") < 1200
    expect(page.locator("#validation .matrix")).to_be_hidden()
    page.locator("nav a", has_text="Validation").click()
    expect(page.locator("#validation .matrix")).to_be_visible()
    expect(page.locator("#validation .plot:visible .main-svg").first).to_be_visible()


def test_ten_classes_fit_on_nine_thousand_pixels_and_names_are_cut_not_wrapped(page: Page, tmp_path: Path) -> None:
    classes = tuple(f"a class with a name that is rather long {i}" for i in range(10))
    path = tmp_path / "report.html"
    write_report(report(classes), path)
    page.set_viewport_size({"width": 1280, "height": 900})
    drawn(page, path)
    assert page.evaluate("document.documentElement.scrollHeight") < 9_000
    name = page.locator("#test .matrix tbody .short").first
    assert name.get_attribute("title") == classes[0]
    assert name.evaluate("one => one.scrollWidth > one.clientWidth && one.clientHeight < 30")


def test_tables_of_very_many_classes_end_early() -> None:
    counts = {"train": tuple(range(1_005))}
    table = counts_table(DatasetFacts("many", "", tuple(map(str, range(1_005))), counts))
    assert len(table.rows) == 1_002
    assert table.rows[-2:] == (("and 5 more", ""), ("total", f"{sum(range(1_005)):,}"))
    labels = np.arange(1_003)
    evaluation = judge(labels, np.eye(1_003)[(labels // 2) * 2], tuple(map(str, labels)))
    scores = metric_lines.split_report("test", evaluation).per_class
    assert scores is not None
    assert len(scores.rows) == 1_001
    assert scores.rows[0][-1].startswith("0.0%")
    assert scores.rows[-1][0] == "and 3 with a higher F1, or without images"
