"""The page in a real browser, with a service that is busy, guarded, gone, or explains."""

import re
import threading
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tellapart.serving.settings import Settings

from .conftest import FakePredictor, FakeRunner, running
from .page_fixtures import PASSWORD, FakeService, serve_fake
from .page_steps import choose, file, grey, open_page, transfer


@pytest.mark.parametrize(
    ("status", "title", "again"),
    [
        (400, "No prediction", False),
        (413, "This image is too large", False),
        (500, "No prediction", True),
        (503, "The service is busy", True),
    ],
)
def test_a_refusal_is_shown(
    fake_service: FakeService, page: Page, reddish: bytes, status: int, title: str, again: bool
) -> None:
    fake_service.refusals = [(status, {})]
    choose(page, file(reddish))
    card = page.locator(".card")
    expect(card.get_by_role("heading")).to_have_text(title)
    expect(card.locator(".sentence")).to_have_text(f"Refused with status {status}.")
    expect(card.get_by_role("button", name="Try again")).to_have_count(int(again))


def test_a_response_of_another_server_is_reported(page: Page, reddish: bytes) -> None:
    page.route("**/predict*", lambda route: route.fulfill(body="<p>Welcome to the hotel’s network</p>"))
    choose(page, file(reddish))
    expect(page.locator(".card").get_by_role("heading")).to_have_text("No prediction")
    expect(page.locator(".sentence")).to_have_text(re.compile("not a response of this service"))


def test_a_busy_service_is_retried(fake_service: FakeService, page: Page, reddish: bytes) -> None:
    fake_service.refusals = [(503, {"Retry-After": "2"}), (429, {"Retry-After": "1"})]
    choose(page, file(reddish))
    card = page.locator(".card")
    expect(card.get_by_role("heading")).to_have_text("Waiting…")
    expect(card.locator(".sentence")).to_have_text("The service is busy. Retrying in 2 s.")
    expect(card.get_by_role("heading")).to_have_text("red")
    expect(card.locator(".sentence")).to_have_text("")
    expect(page.get_by_role("log").locator("p")).to_have_text(
        ["photo.png: The service is busy. Retrying in 2 s.", "photo.png: red, 66.7%"]
    )
    assert len(fake_service.queries) == 3


def test_images_that_wait_for_a_busy_service_can_be_cleared(
    fake_service: FakeService, page: Page, reddish: bytes, greenish: bytes
) -> None:
    fake_service.refusals = [(503, {"Retry-After": "30"})]
    choose(page, file(reddish, "1.png"), file(reddish, "2.png"))
    expect(page.locator(".sentence").first).to_have_text(re.compile("busy"))
    page.get_by_role("button", name="Clear all").click()
    choose(page, file(greenish, "3.png"))
    expect(page.locator(".card").get_by_role("heading")).to_have_text("<b>green</b>", timeout=20_000)
    assert len(fake_service.queries) == 2


def test_a_service_that_is_gone_is_reported_and_can_be_retried(browser: Browser, reddish: bytes) -> None:
    with ExitStack() as serving:
        service = serving.enter_context(serve_fake(FakeService()))
        with open_page(browser, service.address) as page:
            serving.close()
            choose(page, file(reddish))
            card = page.locator(".card")
            expect(card.get_by_role("heading")).to_have_text("The service does not answer")
            expect(card.locator(".sentence")).to_have_text(re.compile("Restart it, then try"))
            answer = {"path": "photo.png", "label": "back", "probability": 1, "unknown": False, "top": []}
            page.route("**/v1/predict*", lambda route: route.fulfill(json={"answers": [answer]}))
            card.get_by_role("button", name="Try again").click()
            expect(card.get_by_role("heading")).to_have_text("back")
            expect(card.get_by_role("heading")).to_be_focused()
            expect(card.get_by_role("button", name="Try again")).to_have_count(0)


def test_the_explanation_is_overlaid_and_requested_once(fake_service: FakeService, page: Page, reddish: bytes) -> None:
    fake_service.extra = {"meaning": "This map can be believed."}
    choose(page, file(reddish))
    card = page.locator(".card")
    expect(card.get_by_role("heading")).to_have_text("red")
    assert fake_service.queries == ["top=5"]  # a plain prediction is faster
    button = card.locator(".explain")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_have_text("Show explanation")
    button.focus()
    page.keyboard.press("Space")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(card.locator(".meaning")).to_have_text("This map can be believed.")
    overlay = card.get_by_role("img", name="Saliency map of photo.png: bright regions matter most")
    expect(overlay).to_be_visible()
    expect(card.locator(".scale")).to_be_visible()
    expect(card.locator(".edges")).to_be_hidden()
    assert overlay.bounding_box() == card.get_by_role("img", name="photo.png", exact=True).bounding_box()
    expect(page.get_by_role("log").locator("p").last).to_have_text("photo.png: This map can be believed.")
    for shown in (False, True):
        button.click()
        expect(button).to_have_attribute("aria-expanded", str(shown).lower())
        expect(button).to_have_text("Hide explanation" if shown else "Show explanation")
        expect(overlay).to_be_visible(visible=shown)
    assert fake_service.queries == ["top=5", "top=5&explain=true"]


def test_edges_that_are_cropped_away_are_mentioned(page: Page) -> None:
    choose(page, file(grey((100, 300))))
    page.get_by_role("button", name="Show explanation").click()
    expect(page.get_by_text("The classifier does not see the edges outside the map.")).to_be_visible()
    expect(page.locator(".meaning")).to_have_text(
        "Regions that speak for “red”. How much the prediction depends on them was not measured."
    )


def test_a_failed_explanation_is_reported_and_can_be_retried(
    fake_service: FakeService, page: Page, reddish: bytes
) -> None:
    choose(page, file(reddish))
    expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
    fake_service.refusals = [(500, {})]
    button = page.locator(".explain")
    button.click()
    expect(page.locator(".meaning")).to_have_text("No prediction. Refused with status 500.")
    expect(page.locator(".overlay")).to_be_hidden()
    expect(page.locator(".scale")).to_be_hidden()
    expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
    button.click()
    button.click()
    expect(page.locator(".overlay")).to_be_visible()


def test_a_classifier_that_cannot_explain_has_no_button(browser: Browser, reddish: bytes) -> None:
    with serve_fake(FakeService(explains=False)) as service, open_page(browser, service.address) as page:
        choose(page, file(reddish))
        expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
        expect(page.locator(".explain")).to_be_hidden()


def test_a_token_is_requested_once_and_kept_for_this_tab_only(browser: Browser, reddish: bytes) -> None:
    with serve_fake(FakeService(guarded=True)) as service, open_page(browser, service.address, guarded=True) as page:
        field = page.get_by_label("Token")
        expect(field).to_be_focused()
        expect(field).to_have_attribute("type", "password")
        choose(page, file(reddish, "1.png"), file(reddish, "2.png"))
        expect(page.locator(".sentence").first).to_have_text("Waiting for the token.")
        for entered in ("wrong", PASSWORD):
            field.fill(entered)
            page.keyboard.press("Enter")
            if entered == "wrong":
                expect(page.locator("#gate-text")).to_have_text(re.compile("not accepted"))
        expect(page.locator(".card").get_by_role("heading")).to_have_text(["red", "red"])
        expect(field).to_be_hidden()
        page.reload()
        choose(page, file(reddish))
        expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
        expect(field).to_be_hidden()
        expect(page.get_by_text("About this classifier")).to_be_visible()
        assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
        assert PASSWORD not in page.url


def test_a_late_refusal_of_the_old_token_does_not_request_another(browser: Browser, reddish: bytes) -> None:
    with serve_fake(FakeService(guarded=True)) as service, open_page(browser, service.address, guarded=True) as page:
        pending: list[Route] = []
        page.route("**/v1/predict*", lambda route: pending.extend([route]), times=1)
        with page.expect_request("**/v1/predict*"):
            choose(page, file(reddish))
        page.get_by_label("Token").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_text("About this classifier")).to_be_visible()
        pending[0].fulfill(status=401, json={"error": "no token"})
        expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
        expect(page.get_by_label("Token")).to_be_hidden()


def test_a_token_can_be_pasted_without_a_message_about_images(browser: Browser) -> None:
    with serve_fake(FakeService(guarded=True)) as service, open_page(browser, service.address, guarded=True) as page:
        expect(page.get_by_label("Token")).to_be_focused()
        transfer(page, "paste", None, "clipboardData", to="#token")
        expect(page.get_by_role("status")).to_have_text("")


def test_the_page_works_with_the_real_service(browser: Browser, reddish: bytes) -> None:
    with (
        running(settings=Settings(token=PASSWORD)) as service,
        open_page(browser, service.address, guarded=True) as page,
    ):
        page.get_by_label("Token").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_text("About this classifier")).to_be_visible()
        choose(page, file(reddish, "1.png"), file(grey(), "2.png"), file(b"no", "3.png"))
        headings = page.locator(".card").get_by_role("heading")
        expect(headings).to_have_text(["red", "I don’t know", "This image cannot be read"])


def test_the_page_retries_the_real_service_while_it_is_busy(browser: Browser, reddish: bytes) -> None:
    runner = FakeRunner(resume=threading.Event())
    assert runner.resume is not None
    with (
        running(FakePredictor(runner=runner), Settings(queue=1, deadline_s=60)) as service,
        open_page(browser, service.address) as first,
        open_page(browser, service.address) as second,
    ):
        choose(first, file(reddish))
        assert runner.started.wait(10)
        choose(second, file(reddish + b"\0" * 5_000_000))  # too large to be in transit before it is refused
        expect(second.locator(".sentence")).to_have_text("The service is busy. Retrying in 1 s.")
        runner.resume.set()
        for page in (first, second):
            expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
