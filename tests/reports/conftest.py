"""What tests of pages stand on."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page


def local(url: str) -> bool:
    return url.startswith(("file:", "data:"))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page 390 px wide, on which nothing may go wrong, be asked of a network, or be run by a name."""
    page = browser.new_page(viewport={"width": 390, "height": 800})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("dialog", lambda box: wrong.append(box.message))
    page.on("request", lambda request: wrong.append(request.url) if not local(request.url) else None)
    page.route(lambda url: not local(url), lambda route: route.abort())
    yield page
    page.close()
    assert wrong == []
