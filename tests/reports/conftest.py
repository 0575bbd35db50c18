"""A browser page for tests of pages, on which anything unexpected is a failure."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page


def local(url: str) -> bool:
    return url.startswith(("file:", "data:"))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Yield a page 390 px wide, on which no error, network request or script from a name may occur."""
    page = browser.new_page(viewport={"width": 390, "height": 800})
    unexpected: list[str] = []
    page.on("pageerror", lambda error: unexpected.append(str(error)))
    page.on("console", lambda message: unexpected.append(message.text))
    page.on("dialog", lambda box: unexpected.append(box.message))
    page.on("request", lambda request: unexpected.append(request.url) if not local(request.url) else None)
    page.route(lambda url: not local(url), lambda route: route.abort())
    yield page
    page.close()
    assert unexpected == []
