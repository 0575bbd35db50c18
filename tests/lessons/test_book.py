"""The book: complete offline, no dead link, no page wider than a phone, each script once and from a file."""

import re
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tellapart.errors import StorageError
from tellapart.lessons.book import SCRIPTS, learn, write_book, write_page
from tellapart.lessons.glossary import GLOSSARY
from tellapart.lessons.lesson import Learned, Lesson, Settings

from ..reports.conftest import page  # noqa: F401  a fixture


@pytest.fixture(scope="module")
def book(small: dict[str, Learned], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lessons") / "book"
    write_book(list(small.values()), folder)
    return folder


def test_the_book_has_a_page_for_each_lesson_and_its_scripts_once(book: Path, small: dict[str, Learned]) -> None:
    pages = {f"{name}.html" for name in small}
    assert {path.name for path in book.iterdir()} == pages | {"index.html", "glossary.html", *SCRIPTS}
    assert sum(path.stat().st_size for path in book.glob("*.html")) < 3_000_000
    assert (book / "plotly.js").stat().st_size > 1_000_000


def test_no_link_of_the_book_is_dead_or_external(book: Path) -> None:
    anchors = {path.name: set(re.findall(r'\bid="([^"]+)"', path.read_text())) for path in book.glob("*.html")}
    for path in book.glob("*.html"):
        markup = re.sub(r"<script[^>]*>.*?</script>", "", path.read_text(), flags=re.S)
        assert not re.search(r"\b(?:https?:)?//[a-z]", markup)
        for link in re.findall(r'<a [^>]*href="([^"]+)"', markup):
            file, _, fragment = link.partition("#")
            target = file or path.name
            assert target in anchors, f"{path.name} leads to {link}"
            assert not fragment or fragment in anchors[target], f"{path.name} leads to {link}"


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_fits_its_screen_and_draws_its_figures(
    width: int,
    book: Path,
    small: dict[str, Learned],
    page: Page,  # noqa: F811
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for path in sorted(book.glob("*.html")):
        page.goto(path.as_uri())
        figures = len(small[path.stem].findings.figures) if path.stem in small else 0
        expect(page.locator(".plot .main-svg").first if figures else page.locator("h1")).to_be_visible()
        assert page.locator(".plot:has(.main-svg)").count() == figures
        assert page.evaluate("document.documentElement.scrollWidth") == width, path.name


def test_the_index_and_the_pages_lead_through_the_book_in_order(
    book: Path,
    small: dict[str, Learned],
    page: Page,  # noqa: F811
) -> None:
    page.goto((book / "index.html").as_uri())
    expect(page.locator(".index a")).to_have_text([learned.lesson.question for learned in small.values()])
    page.locator(".index a").first.click()
    for learned in small.values():
        expect(page.locator("h1")).to_have_text(learned.lesson.question)
        page.locator(".turn a").last.click()
    expect(page.locator("h1")).to_have_text("Glossary")
    assert page.locator(".glossary dt").count() == len(GLOSSARY)


def test_only_scripts_from_files_may_run(lesson: Lesson, tmp_path: Path) -> None:
    write_book([learn(lesson)], tmp_path / "book")
    text = (tmp_path / "book" / "counting.html").read_text()
    assert "&lt;b&gt;none&lt;/b&gt;" in text
    assert re.findall(r"script-src ([^;]+);", unescape(text)) == ["'self' file:"]
    assert re.findall(r"<script(?! type=\"application/json\")[^>]*>", text) == [
        f'<script src="{script}">' for script in SCRIPTS
    ]


def test_a_single_page_contains_its_terms(lesson: Lesson, page: Page, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "page.html"
    write_page(learn(lesson, Settings(small=True)), path)
    page.goto(path.as_uri())
    expect(page.locator("#method")).to_contain_text("We add 4 numbers in an array.")
    expect(page.locator("#outcome")).to_contain_text("It is 6.")
    expect(page.locator(".plot .main-svg").first).to_be_visible()
    expect(page.locator(".glossary dt")).to_have_text(["array", "shape"])
    assert page.locator("a.term").evaluate_all("all => all.map((link) => link.hash)") == ["#array", "#shape"]
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("a[href*='.html']").count() == 0


def test_a_claim_that_fails_is_marked(lesson: Lesson, page: Page, tmp_path: Path) -> None:  # noqa: F811
    learned = learn(lesson)
    failed = Learned(lesson, learned.findings, (("It is not so.", False),), 1.0)
    write_page(failed, tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".claims .refuted")).to_contain_text("not confirmed")


def test_a_folder_in_use_is_left_alone(lesson: Lesson, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(StorageError, match="not empty"):
        write_book([learn(lesson)], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
