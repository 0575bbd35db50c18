"""The page in a real browser."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import image
from .page_fixtures import PAGE, FakeService, serve_fake
from .page_steps import choose, file, grey, open_page, transfer


def test_a_chosen_image_is_shown_with_its_class_and_probabilities(page: Page, reddish: bytes) -> None:
    choose(page, file(reddish))
    card = page.locator(".card")
    expect(card.get_by_role("heading")).to_have_text("red")
    expect(card.locator(".share")).to_have_text(["66.7%", "20.0%", "13.3%"])
    expect(card.locator(".name")).to_have_text(["red", "<b>green</b>", "blue"])
    widths = [box["width"] for fill in card.locator(".fill").all() if (box := fill.bounding_box())]
    assert widths[1] / widths[0] == pytest.approx(0.3, abs=0.02)
    shown = card.get_by_role("img", name="photo.png")
    expect(shown).to_be_visible()
    assert shown.evaluate("image => image.naturalWidth") == 320


def test_no_probability_is_rounded_to_nothing_or_to_certainty(page: Page) -> None:
    choose(page, file(image((255, 0, 0))))
    expect(page.locator(".share")).to_have_text([">99.9%", "<0.1%", "<0.1%"])
    expect(page.get_by_role("log")).to_have_text("photo.png: red, >99.9%")


def test_a_rejected_image_is_unknown_with_its_best_guess(page: Page, reddish: bytes) -> None:
    choose(page, file(grey(), "grey.png"))
    card = page.locator(".card")
    expect(card).to_have_attribute("data-state", "unknown")
    expect(card.get_by_role("heading")).to_have_text("I don’t know")
    expect(card.locator(".sentence")).to_have_text("Not confident enough. Best guess: red, 33.3%.")
    expect(card.locator(".share")).to_have_text(["33.3%", "33.3%", "33.3%"])
    expect(card.get_by_role("button", name="Try again")).to_have_count(0)
    expect(page.get_by_role("log")).to_have_text("grey.png: I don’t know. Best guess: red, 33.3%")
    choose(page, file(reddish))
    expect(page.locator(".card").first.get_by_role("heading")).to_have_text("red")
    expect(page.locator(".card").first.locator(".sentence")).to_be_hidden()


def test_names_are_text_and_never_markup(page: Page, greenish: bytes) -> None:
    choose(page, file(greenish, "<img src=x onerror=alert(1)>.png"))
    card = page.locator(".card")
    expect(card.get_by_role("heading")).to_have_text("<b>green</b>")
    expect(card.locator(".file")).to_have_text("<img src=x onerror=alert(1)>.png")
    page.get_by_text("About this classifier").click()
    expect(page.locator("#classes li")).to_have_text(["red", "<b>green</b>", "blue"])
    assert page.locator("b").count() == 0
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize(("event", "carrier"), [("drop", "dataTransfer"), ("paste", "clipboardData")])
def test_an_image_can_be_dropped_and_pasted(page: Page, reddish: bytes, event: str, carrier: str) -> None:
    transfer(page, event, reddish, carrier)
    expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
    expect(page.locator(".file")).to_have_text("transferred.png")


@pytest.mark.parametrize(("event", "carrier"), [("drop", "dataTransfer"), ("paste", "clipboardData")])
def test_dropping_or_pasting_something_else_shows_a_message(page: Page, event: str, carrier: str) -> None:
    transfer(page, event, None, carrier)
    expect(page.get_by_role("status")).to_have_text("No image found. Choose an image file.")


@pytest.mark.parametrize(
    ("content", "title", "sentence"),
    [
        (b"these are notes", "This image cannot be read", r"send another image.*\.$"),
        (b"x" * 12_300_000, "This image is too large", r"It has 12\.3 MB; the limit is 10 MB\."),
        (b"", "This file is empty", r"It has 0 bytes\. Choose an image file\."),
    ],
)
def test_an_invalid_file_shows_a_message(page: Page, content: bytes, title: str, sentence: str) -> None:
    choose(page, file(content, "wrong.jpg"))
    card = page.locator(".card")
    expect(card.get_by_role("heading")).to_have_text(title)
    expect(card.locator(".sentence")).to_have_text(re.compile(sentence))
    expect(card.locator(".photo")).to_be_hidden()
    expect(card.get_by_role("button")).to_have_count(0)  # trying the same file again would not help


def test_an_image_with_too_many_pixels_is_not_sent(fake_service: FakeService, page: Page) -> None:
    choose(page, file(grey((2000, 1000))))
    expect(page.locator(".card").get_by_role("heading")).to_have_text("This image is too large")
    expect(page.locator(".sentence")).to_have_text(
        "It has 2 million pixels; the limit is 1 million pixels. Choose a smaller image."
    )
    assert not fake_service.queries


def test_several_images_give_several_cards_and_can_be_cleared(page: Page, reddish: bytes, greenish: bytes) -> None:
    choose(page, file(reddish, "1.png"), file(b"no", "2.png"), file(greenish, "3.png"))
    headings = page.locator(".card").get_by_role("heading")
    expect(headings).to_have_text(["red", "This image cannot be read", "<b>green</b>"])
    choose(page, file(reddish, "4.png"))
    expect(page.locator(".file")).to_have_text(["4.png", "1.png", "2.png", "3.png"])
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator(".card")).to_have_count(0)
    expect(page.get_by_role("heading", name="Predictions")).to_be_hidden()


def test_the_page_works_with_a_keyboard_and_a_screen_reader(page: Page, reddish: bytes) -> None:
    page.on(
        "filechooser", lambda _: None
    )  # registered early, since Playwright enables interception without waiting for it
    page.keyboard.press("Tab")
    expect(page.get_by_label("Choose images")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([file(reddish)])
    expect(page.get_by_role("log")).to_have_text("photo.png: red, 66.7%")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Clear all")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Choose images")).to_be_focused()


def test_the_page_describes_the_classifier(page: Page) -> None:
    expect(page.locator("#lead")).to_have_text("Choose an image to see which of the 3 classes of colours it shows.")
    page.get_by_text("About this classifier").click()
    expect(page.locator("#size")).to_have_text("32 × 24 pixels, in colour")
    expect(page.locator("#accuracy")).to_have_text("81.2% on 372 test images (95% interval 76.9% to 84.8%)")


def test_a_narrow_screen_never_scrolls_sideways(page: Page, reddish: bytes) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    choose(page, file(reddish, "a-name-without-any-space-" * 8 + ".png"), file(b"no", "2.png"))
    page.get_by_role("button", name="Show explanation").click()
    expect(page.locator(".overlay").first).to_be_visible()
    page.get_by_text("About this classifier").click()
    expect(page.locator("[data-state=waiting]")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_phone_offers_its_camera_and_a_desktop_does_not(
    fake_service: FakeService, page: Page, browser: Browser, reddish: bytes
) -> None:
    expect(page.locator(".camera")).to_be_hidden()
    page.set_viewport_size({"width": 390, "height": 800})
    expect(page.get_by_text("drop them here")).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 800})
    assert re.search("drop them here.*paste an image", page.locator("body").inner_text(), re.DOTALL)
    with open_page(browser, fake_service.address, phone=True) as phone:
        assert not re.search("drop|drag|paste", phone.locator("body").inner_text())
        camera = phone.get_by_label("Take a photo")
        expect(phone.locator(".camera")).to_be_visible()
        expect(camera).to_have_attribute("capture", "environment")
        camera.set_input_files([file(reddish)])
        expect(phone.locator(".card").get_by_role("heading")).to_have_text("red")
        assert phone.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_light_and_dark(page: Page, reddish: bytes, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    choose(page, file(reddish), file(b"no", "2.png"))
    expect(page.locator("[data-state=waiting]")).to_have_count(0)
    page.get_by_role("button", name="Show explanation").click()
    paper = _luminance(page.locator("html").evaluate("e => getComputedStyle(e).backgroundColor"))
    assert (paper > 0.5) == (scheme == "light")
    card = _luminance(page.locator(".card").first.evaluate("e => getComputedStyle(e).backgroundColor"))
    on_paper, on_card = (
        (".lead", ".wordmark"),
        (".hint", ".file", ".share", ".explanation", "[data-state=failed] .label"),
    )
    for text, behind in [*((text, paper) for text in on_paper), *((text, card) for text in on_card)]:
        ink = page.locator(text).last.evaluate("e => getComputedStyle(e).color")
        assert _contrast(_luminance(ink), behind) >= 4.5, text  # WCAG 2.2, 1.4.3


def _luminance(colour: str) -> float:
    """Relative luminance in [0, 1] of an `rgb(r, g, b)`. Source: WCAG 2.2."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(first: float, second: float) -> float:
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def test_no_request_goes_to_another_host(fake_service: FakeService, page: Page, reddish: bytes) -> None:
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.reload()
    choose(page, file(reddish))
    expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
    page.get_by_role("button", name="Show explanation").click()
    expect(page.locator(".overlay")).to_be_visible()
    assert f"{fake_service.address}/page/page.css" in urls
    assert not [url for url in urls if not url.removeprefix("blob:").startswith(fake_service.address)]


def test_the_page_works_below_a_path_of_a_proxy(browser: Browser, reddish: bytes) -> None:
    with serve_fake(FakeService(prefix="/classify")) as service, open_page(browser, f"{service.address}/") as page:
        choose(page, file(reddish))
        expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
        page.get_by_role("button", name="Show explanation").click()
        expect(page.locator(".overlay")).to_be_visible()


def test_the_page_is_small_and_has_nothing_inline() -> None:
    assert sum(path.stat().st_size for path in PAGE.iterdir()) < 60_000
    markup = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?://", markup)
