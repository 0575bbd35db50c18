"""The page in a real browser, as a person uses it."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from .page_fixtures import PAGE, StandIn
from .page_steps import bring, choose, file, grey, opened


def test_a_chosen_image_is_shown_with_its_category_and_bars(page: Page, reddish: bytes) -> None:
    choose(page, file(reddish))
    card = page.locator(".card")
    expect(card.get_by_role("heading")).to_have_text("red")
    expect(card.locator(".share")).to_have_text(["66.7%", "20.0%", "13.3%"])
    expect(card.locator(".name")).to_have_text(["red", "<b>green</b>", "blue"])
    widths = [box["width"] for fill in card.locator(".fill").all() if (box := fill.bounding_box())]
    assert widths[1] / widths[0] == pytest.approx(0.3, abs=0.02)
    image = card.get_by_role("img", name="The image photo.png")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.naturalWidth") == 320


def test_what_the_classifier_does_not_know_is_said_with_its_best_guess(page: Page, reddish: bytes) -> None:
    choose(page, file(grey(), "grey.png"))
    card = page.locator(".card")
    expect(card).to_have_attribute("data-state", "unknown")
    expect(card.get_by_role("heading")).to_have_text("I don’t know")
    expect(card.locator(".sentence")).to_have_text("My best guess is not good enough: red, 33.3%.")
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
def test_a_image_can_be_dropped_and_pasted(page: Page, reddish: bytes, event: str, carrier: str) -> None:
    bring(page, event, reddish, carrier)
    expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
    expect(page.locator(".file")).to_have_text("brought.png")


@pytest.mark.parametrize(("event", "carrier"), [("drop", "dataTransfer"), ("paste", "clipboardData")])
def test_what_holds_no_image_gets_a_sentence(page: Page, event: str, carrier: str) -> None:
    bring(page, event, None, carrier)
    expect(page.get_by_role("status")).to_have_text("There was no image in that. Choose an image file.")


@pytest.mark.parametrize(
    ("content", "title", "sentence"),
    [
        (b"these are notes", "This image cannot be read", r"send another image.*\.$"),
        (b"x" * 12_300_000, "This image is too large", r"It has 12\.3 MB, and at most 10 MB are taken\."),
        (b"", "This file is empty", r"It has 0 bytes\. Choose an image file\."),
    ],
)
def test_a_wrong_file_gets_a_plain_sentence(page: Page, content: bytes, title: str, sentence: str) -> None:
    choose(page, file(content, "wrong.jpg"))
    card = page.locator(".card")
    expect(card.get_by_role("heading")).to_have_text(title)
    expect(card.locator(".sentence")).to_have_text(re.compile(sentence))
    expect(card.locator(".photo")).to_be_hidden()
    expect(card.get_by_role("button")).to_have_count(0)  # trying the same file again would not help


def test_a_image_of_too_many_pixels_is_not_sent(stand_in: StandIn, page: Page) -> None:
    choose(page, file(grey((2000, 1000))))
    expect(page.locator(".card").get_by_role("heading")).to_have_text("This image is too large")
    expect(page.locator(".sentence")).to_have_text(
        "It has 2 million pixels, and at most 1 million pixels are taken. Choose a smaller image."
    )
    assert not stand_in.asked


def test_several_images_give_several_cards_and_can_be_cleared(page: Page, reddish: bytes, greenish: bytes) -> None:
    choose(page, file(reddish, "1.png"), file(b"no", "2.png"), file(greenish, "3.png"))
    headings = page.locator(".card").get_by_role("heading")
    expect(headings).to_have_text(["red", "This image cannot be read", "<b>green</b>"])
    choose(page, file(reddish, "4.png"))
    expect(page.locator(".file")).to_have_text(["4.png", "1.png", "2.png", "3.png"])
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator(".card")).to_have_count(0)
    expect(page.get_by_role("heading", name="Answers")).to_be_hidden()


def test_the_keyboard_and_a_screen_reader_suffice(page: Page, reddish: bytes) -> None:
    page.on("filechooser", lambda _: None)  # told early, for Playwright tells Chromium without waiting for it
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


def test_the_facts_about_the_classifier_are_told(page: Page) -> None:
    expect(page.locator("#lead")).to_have_text("Show an image, and see which of 3 categories of colours it is.")
    page.get_by_text("About this classifier").click()
    expect(page.locator("#size")).to_have_text("32 × 24 pixels, in colour")
    expect(page.locator("#accuracy")).to_have_text(
        "81.2% on 372 images that it had not seen (95% interval 76.9% to 84.8%)"
    )


def test_a_narrow_screen_never_scrolls_sideways(page: Page, reddish: bytes) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    choose(page, file(reddish, "a-name-without-any-space-" * 8 + ".png"), file(b"no", "2.png"))
    page.get_by_role("button", name="Show where it looked").click()
    expect(page.locator(".overlay").first).to_be_visible()
    page.get_by_text("About this classifier").click()
    expect(page.locator("[data-state=waiting]")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_phone_offers_its_camera_and_a_desk_does_not(
    stand_in: StandIn, page: Page, browser: Browser, reddish: bytes
) -> None:
    expect(page.locator(".camera")).to_be_hidden()
    with opened(browser, stand_in.address, phone=True) as phone:
        camera = phone.get_by_label("Take a photo")
        expect(phone.locator(".camera")).to_be_visible()
        expect(camera).to_have_attribute("capture", "environment")
        camera.set_input_files([file(reddish)])
        expect(phone.locator(".card").get_by_role("heading")).to_have_text("red")
        assert phone.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(page: Page, reddish: bytes, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    choose(page, file(reddish), file(b"no", "2.png"))
    expect(page.locator("[data-state=waiting]")).to_have_count(0)
    page.get_by_role("button", name="Show where it looked").click()
    paper = _luminance(page.locator("html").evaluate("e => getComputedStyle(e).backgroundColor"))
    assert (paper > 0.5) == (scheme == "light")
    card = _luminance(page.locator(".card").first.evaluate("e => getComputedStyle(e).backgroundColor"))
    on_paper, on_card = (".lead", ".wordmark"), (".hint", ".file", ".share", ".because", "[data-state=failed] .label")
    for text, behind in [*((text, paper) for text in on_paper), *((text, card) for text in on_card)]:
        ink = page.locator(text).last.evaluate("e => getComputedStyle(e).color")
        assert _contrast(_luminance(ink), behind) >= 4.5, text  # WCAG 2.2, 1.4.3


def _luminance(colour: str) -> float:
    """Relative luminance in [0, 1] of an `rgb(r, g, b)`. Source: WCAG 2.2."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_no_request_leaves_to_another_host(stand_in: StandIn, page: Page, reddish: bytes) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    choose(page, file(reddish))
    expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
    page.get_by_role("button", name="Show where it looked").click()
    expect(page.locator(".overlay")).to_be_visible()
    assert f"{stand_in.address}/page/page.css" in asked
    assert not [url for url in asked if not url.removeprefix("blob:").startswith(stand_in.address)]


def test_the_page_is_small_and_has_nothing_inline() -> None:
    assert sum(path.stat().st_size for path in PAGE.iterdir()) < 60_000
    markup = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?://", markup)
