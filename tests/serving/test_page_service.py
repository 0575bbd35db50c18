"""The page and a service that is busy, guarded, gone, or explains; in a real browser."""

import re
import threading
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tellapart.serving.settings import Settings

from .conftest import FakePredictor, FakeRunner, running
from .page_fixtures import PASSWORD, StandIn, standing_in
from .page_steps import bring, choose, file, grey, opened


@pytest.mark.parametrize(
    ("status", "title", "again"),
    [
        (400, "No answer", False),
        (413, "This image is too large", False),
        (500, "No answer", True),
        (503, "The service is busy", True),
    ],
)
def test_what_the_service_refuses_is_explained(
    stand_in: StandIn, page: Page, reddish: bytes, status: int, title: str, again: bool
) -> None:
    stand_in.refusals = [(status, {})]
    choose(page, file(reddish))
    card = page.locator(".card")
    expect(card.get_by_role("heading")).to_have_text(title)
    expect(card.locator(".sentence")).to_have_text(f"It is refused with {status}.")
    expect(card.get_by_role("button", name="Try again")).to_have_count(int(again))


def test_an_answer_of_something_else_is_explained(page: Page, reddish: bytes) -> None:
    page.route("**/predict*", lambda route: route.fulfill(body="<p>Welcome to the hotel’s network</p>"))
    choose(page, file(reddish))
    expect(page.locator(".card").get_by_role("heading")).to_have_text("No answer")
    expect(page.locator(".sentence")).to_have_text(re.compile("cannot be understood. Is something else at"))


def test_a_busy_service_is_waited_for(stand_in: StandIn, page: Page, reddish: bytes) -> None:
    stand_in.refusals = [(503, {"Retry-After": "2"}), (429, {"Retry-After": "1"})]
    choose(page, file(reddish))
    card = page.locator(".card")
    expect(card.get_by_role("heading")).to_have_text("Waiting…")
    expect(card.locator(".sentence")).to_have_text("The service is busy. Trying again in 2 s.")
    expect(card.get_by_role("heading")).to_have_text("red")
    expect(card.locator(".sentence")).to_have_text("")
    expect(page.get_by_role("log").locator("p")).to_have_text(
        ["photo.png: The service is busy. Trying again in 2 s.", "photo.png: red, 66.7%"]
    )
    assert len(stand_in.asked) == 3


def test_images_that_wait_for_a_busy_service_can_be_cleared(
    stand_in: StandIn, page: Page, reddish: bytes, greenish: bytes
) -> None:
    stand_in.refusals = [(503, {"Retry-After": "30"})]
    choose(page, file(reddish, "1.png"), file(reddish, "2.png"))
    expect(page.locator(".sentence").first).to_have_text(re.compile("busy"))
    page.get_by_role("button", name="Clear all").click()
    choose(page, file(greenish, "3.png"))
    expect(page.locator(".card").get_by_role("heading")).to_have_text("<b>green</b>", timeout=20_000)
    assert len(stand_in.asked) == 2


def test_a_service_that_is_gone_is_explained_and_can_be_tried_again(browser: Browser, reddish: bytes) -> None:
    with ExitStack() as serving:
        service = serving.enter_context(standing_in(StandIn()))
        with opened(browser, service.address) as page:
            serving.close()
            choose(page, file(reddish))
            card = page.locator(".card")
            expect(card.get_by_role("heading")).to_have_text("The service does not answer")
            expect(card.locator(".sentence")).to_have_text(re.compile("Start it again, then try"))
            answer = {"path": "photo.png", "label": "back", "probability": 1, "unknown": False, "top": []}
            page.route("**/v1/predict*", lambda route: route.fulfill(json={"answers": [answer]}))
            card.get_by_role("button", name="Try again").click()
            expect(card.get_by_role("heading")).to_have_text("back")
            expect(card.get_by_role("heading")).to_be_focused()
            expect(card.get_by_role("button", name="Try again")).to_have_count(0)


def test_where_it_looked_is_laid_over_the_image_and_asked_for_once(
    stand_in: StandIn, page: Page, reddish: bytes
) -> None:
    stand_in.measured = {"meaning": "This map can be believed."}
    choose(page, file(reddish))
    card = page.locator(".card")
    expect(card.get_by_role("heading")).to_have_text("red")
    assert stand_in.asked == ["top=5"]  # a plain answer is a quick one
    button = card.get_by_role("button", name="Show where it looked")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.focus()
    page.keyboard.press("Space")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(card.locator(".meaning")).to_have_text("This map can be believed.")
    overlay = card.get_by_role("img", name="Where it looked in photo.png: dark is little, light is much")
    expect(overlay).to_be_visible()
    expect(card.locator(".scale")).to_be_visible()
    expect(card.locator(".edges")).to_be_hidden()
    assert overlay.bounding_box() == card.get_by_role("img", name="The image photo.png").bounding_box()
    expect(page.get_by_role("log").locator("p").last).to_have_text("photo.png: This map can be believed.")
    for shown in (False, True):
        button.click()
        expect(button).to_have_attribute("aria-pressed", str(shown).lower())
        expect(overlay).to_be_visible(visible=shown)
    assert stand_in.asked == ["top=5", "top=5&explain=true"]


def test_edges_that_the_classifier_never_saw_are_spoken_of(page: Page) -> None:
    choose(page, file(grey((100, 300))))
    page.get_by_role("button", name="Show where it looked").click()
    expect(page.get_by_text("It never saw the edges that have no colour.")).to_be_visible()
    expect(page.locator(".meaning")).to_have_text(
        "What spoke for “red”. How far the answer hangs on it was not measured."
    )


def test_an_explanation_that_fails_says_so_and_can_be_asked_for_again(
    stand_in: StandIn, page: Page, reddish: bytes
) -> None:
    choose(page, file(reddish))
    expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
    stand_in.refusals = [(500, {})]
    button = page.get_by_role("button", name="Show where it looked")
    button.click()
    expect(page.locator(".meaning")).to_have_text("No answer. It is refused with 500.")
    expect(page.locator(".overlay")).to_be_hidden()
    expect(page.locator(".scale")).to_be_hidden()
    expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
    button.click()
    button.click()
    expect(page.locator(".overlay")).to_be_visible()


def test_a_classifier_that_cannot_explain_offers_no_explanation(browser: Browser, reddish: bytes) -> None:
    with standing_in(StandIn(explains=False)) as service, opened(browser, service.address) as page:
        choose(page, file(reddish))
        expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
        expect(page.locator(".why")).to_be_hidden()


def test_a_token_is_asked_for_once_and_kept_in_this_tab_alone(browser: Browser, reddish: bytes) -> None:
    with standing_in(StandIn(guarded=True)) as service, opened(browser, service.address, guarded=True) as page:
        field = page.get_by_label("Token")
        expect(field).to_be_focused()
        expect(field).to_have_attribute("type", "password")
        choose(page, file(reddish, "1.png"), file(reddish, "2.png"))
        expect(page.locator(".sentence").first).to_have_text("It waits for the token.")
        for given in ("wrong", PASSWORD):
            field.fill(given)
            page.keyboard.press("Enter")
            if given == "wrong":
                expect(page.locator("#gate-text")).to_have_text(re.compile("did not take this token"))
        expect(page.locator(".card").get_by_role("heading")).to_have_text(["red", "red"])
        expect(field).to_be_hidden()
        page.reload()
        choose(page, file(reddish))
        expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
        expect(field).to_be_hidden()
        expect(page.get_by_text("About this classifier")).to_be_visible()
        assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
        assert PASSWORD not in page.url


def test_a_late_refusal_of_the_old_token_does_not_ask_again(browser: Browser, reddish: bytes) -> None:
    with standing_in(StandIn(guarded=True)) as service, opened(browser, service.address, guarded=True) as page:
        held: list[Route] = []
        page.route("**/v1/predict*", lambda route: held.extend([route]), times=1)
        with page.expect_request("**/v1/predict*"):
            choose(page, file(reddish))
        page.get_by_label("Token").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_text("About this classifier")).to_be_visible()
        held[0].fulfill(status=401, json={"error": "no token"})
        expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
        expect(page.get_by_label("Token")).to_be_hidden()


def test_a_token_can_be_pasted_without_a_word_about_images(browser: Browser) -> None:
    with standing_in(StandIn(guarded=True)) as service, opened(browser, service.address, guarded=True) as page:
        expect(page.get_by_label("Token")).to_be_focused()
        bring(page, "paste", None, "clipboardData", to="#token")
        expect(page.get_by_role("status")).to_have_text("")


def test_the_real_service_answers_the_page(browser: Browser, reddish: bytes) -> None:
    with running(settings=Settings(token=PASSWORD)) as service, opened(browser, service.address, guarded=True) as page:
        page.get_by_label("Token").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_text("About this classifier")).to_be_visible()
        choose(page, file(reddish, "1.png"), file(grey(), "2.png"), file(b"no", "3.png"))
        headings = page.locator(".card").get_by_role("heading")
        expect(headings).to_have_text(["red", "I don’t know", "This image cannot be read"])


def test_the_real_service_is_waited_for_while_it_is_busy(browser: Browser, reddish: bytes) -> None:
    runner = FakeRunner(go_on=threading.Event())
    assert runner.go_on is not None
    with (
        running(FakePredictor(runner=runner), Settings(queue=1, deadline_s=60)) as service,
        opened(browser, service.address) as first,
        opened(browser, service.address) as second,
    ):
        choose(first, file(reddish))
        assert runner.begun.wait(10)
        choose(second, file(reddish + b"\0" * 5_000_000))  # too much to be on its way before it is refused
        expect(second.locator(".sentence")).to_have_text("The service is busy. Trying again in 1 s.")
        runner.go_on.set()
        for page in (first, second):
            expect(page.locator(".card").get_by_role("heading")).to_have_text("red")
