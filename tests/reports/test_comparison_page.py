"""The page of a comparison: offline, splits in sections of their own, names as text, the curve of each run."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tellapart.errors import StorageError
from tellapart.reports.compare import RunComparison, compare_runs
from tellapart.reports.comparison_page import comparison_html, write_comparison
from tellapart.reports.report_page import MAX_BYTES
from tellapart.training.run import Run

from .histories import epochs, write_history
from .made_up_runs import made_up_run, predictions

HOSTILE = "<img src=x onerror=alert(1)>&<b>"
Runs = Callable[..., RunComparison]


@pytest.fixture(scope="module")
def runs(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Compare runs of those names, the first of which has a learning curve."""

    def compare(*names: str, validation: bool = True) -> RunComparison:
        folder = tmp_path_factory.mktemp("runs")
        predictions_of_runs = [
            {"test": predictions(range(9 + number))}
            | ({"validation": predictions(range(3 + number))} if validation else {})
            for number in range(len(names))
        ]
        folders = [
            made_up_run(folder / name, trained, stored) for name, stored in zip(names, predictions_of_runs, strict=True)
        ]
        write_history(folders[0] / "history.csv", epochs(0.2, 0.4))
        return compare_runs(folders)

    return compare


OVERFLOWING = """() => [...document.querySelectorAll("nav *, main *")]
    .filter((one) => !one.closest(".wide table, .plot") && one.checkVisibility())
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5 || one.getBoundingClientRect().left < -0.5)
    .map((one) => one.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("names", [("a", "b"), (HOSTILE, "x" * 200)], ids=["plain", "hostile"])
def test_the_page_is_complete_without_a_network_and_names_are_text(
    names: tuple[str, ...], runs: Runs, page: Page, tmp_path: Path
) -> None:
    path = tmp_path / "compare.html"
    write_comparison(runs(*names), path)
    assert path.stat().st_size < MAX_BYTES
    page.goto(path.as_uri())
    expect(page.locator(".plot")).to_have_count(4)
    expect(page.locator(".plot:not(:has(.main-svg))")).to_have_count(0)
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("script:not([type])").count() == 2
    assert page.locator("b, img").count() == 0
    expect(page.locator("#test tbody th")).to_have_text(list(names))
    expect(page.locator("#better li")).to_contain_text(f"{names[1]} and {names[0]}: no significant difference")


def test_validation_and_test_have_sections_of_their_own(runs: Runs) -> None:
    html = comparison_html(runs("a", "b"), created="now")
    by_section = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', html, re.DOTALL))
    assert list(by_section) == ["better", "test", "validation", "learning", "settings"]
    assert all(value in by_section["test"] for value in ("45.0%", "50.0%"))
    assert all(value in by_section["validation"] for value in ("15.0%", "20.0%"))
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        assert not ("45.0%" in table and "15.0%" in table)
    assert "15.0%" not in by_section["test"] + by_section["better"]
    assert re.findall(r'href="#(\w+)"', html) == list(by_section)


def test_an_absent_split_has_no_section_and_a_note_gives_the_reason(runs: Runs) -> None:
    html = comparison_html(runs("a", "b", validation=False), created="now")
    assert 'id="validation"' not in html
    assert "share no validation image" in html


def test_more_than_four_runs_name_the_one_that_they_are_tested_against(runs: Runs) -> None:
    html = comparison_html(runs(*"abcde"), created="now")
    assert "<h1><bdi>5 runs</bdi></h1>" in html
    assert re.search(r"tested against <bdi>e</bdi>, the best one on the validation images", html)
    assert html.count(" vs e</bdi>") == 4
    assert "Holm's p" in html.replace("&#39;", "'")


def test_runs_without_any_curve_have_no_such_section(runs: Runs) -> None:
    compared = runs("a", "b")
    (compared.runs[0].folder / "history.csv").unlink()
    assert 'id="learning"' not in comparison_html(compared, created="now")


def test_notes_are_text(runs: Runs) -> None:
    html = comparison_html(replace(runs("a", "b"), notes=("<script>alert(1)</script>",)), created="now")
    assert "<script>alert" not in html


def test_a_path_that_cannot_be_written_is_an_error(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError):
        write_comparison(runs("a", "b"), tmp_path / "file" / "compare.html")
