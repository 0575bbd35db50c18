"""The page of a range test: the recommended rate first, offline, and nothing wider than a phone."""

from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

from tellapart.reports.lr_page import lr_html, write_lr_page
from tellapart.studies.lr_find import RateTest

from .test_figures import range_test


def test_the_recommended_rate_is_first_and_the_steps_open(page: Page, tmp_path: Path) -> None:
    write_lr_page(range_test(), tmp_path / "rate.html")
    page.goto((tmp_path / "rate.html").as_uri())
    expect(page.locator(".headline strong")).to_have_text("0.18")
    expect(page.locator("#curve .main-svg").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator("#steps summary").click()
    expect(page.locator("#steps tbody tr")).to_have_count(110)


def test_without_a_recommendation_the_page_says_so() -> None:
    text = lr_html(RateTest(np.geomspace(1e-7, 10, 110), np.full(110, 2.3)))
    assert "none can be recommended" in text
    assert "<strong>" not in text.split("<main>")[1].split("</header>")[0]
