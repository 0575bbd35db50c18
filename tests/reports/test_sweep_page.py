"""The page of a sweep: complete, offline, readable."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe
from tellapart.reports.sweep_page import write_curves
from tellapart.studies.sweep.plan import Trial
from tellapart.studies.sweep.sweep import Round, Sweep
from tellapart.training.fitting.checkpoints import Epoch


def trial(number: int, factor: str, value: float | str, epochs: int = 5) -> Trial:
    recipe = resolve_network(Recipe.of({"model": "xception", factor: value}))
    history = tuple(
        Epoch(n, 1 / n, 0.5 + n / 20, float("nan") if number == 2 else 1.1 / n, 0.5 + n / (20 + number), 0.1, 0.2)
        for n in range(1, epochs + 1)
    )
    return Trial(number, factor, {factor: value}, recipe, history, epochs - 1)


@pytest.fixture
def swept(tmp_path: Path) -> Sweep:
    rates = tuple(trial(n, "learning_rate", value) for n, value in enumerate([1e-4, 1e-3, 1e-2, 1e-1], start=1))
    names = (rates[1], trial(5, "cut", "<b>block</b>"))
    rounds = (Round("learning_rate", rates), Round("cut", names))
    folder = tmp_path / "sweep <of> clothes"
    folder.mkdir()
    return Sweep(folder, rounds, ("learning_rate", "cut"), rates[2])


def figures_of(page: str) -> list[dict[str, Any]]:
    scripts = re.findall(r'<script type="application/json" data-for="[^"]+">(.*?)</script>', page)
    return [json.loads(script) for script in scripts]


def test_each_factor_has_its_curves_with_a_line_for_each_trial(swept: Sweep) -> None:
    path = write_curves(swept)
    assert path == swept.folder / "curves.html"
    accuracy, loss, gaps, *_ = figures = figures_of(path.read_text(encoding="utf-8"))
    assert len(figures) == 3 * len(swept.rounds)
    assert [len(figure["data"]) for figure in (accuracy, loss, gaps)] == [10, 10, 4]
    validation, training = accuracy["data"][:2]
    assert validation["y"] == [row.val_accuracy for row in swept.trials[0].history]
    assert training["y"] == [row.accuracy for row in swept.trials[0].history]
    assert (validation["line"]["dash"], training["line"]["dash"]) == ("solid", "dot")
    assert validation["name"] == "0.0001"
    assert [line["name"] for line in accuracy["data"][8:]] == ["solid: validation", "dotted: training"]
    assert loss["data"][2]["y"] == [None] * 5  # not finite
    assert gaps["data"][0]["y"] == pytest.approx(
        [100 * (row.accuracy - (row.val_accuracy or 0)) for row in swept.trials[0].history], abs=1e-3
    )


def test_names_are_text_and_never_markup(swept: Sweep) -> None:
    page = write_curves(swept).read_text(encoding="utf-8")
    assert "<title>Sweep sweep &lt;of&gt; clothes</title>" in page
    assert "<b>block" not in page
    assert "&lt;b&gt;block" in page


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_shows_its_curves_without_a_network_and_never_scrolls_sideways(
    width: int, swept: Sweep, browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(write_curves(swept).as_uri())
    page.wait_for_function("document.querySelectorAll('.plot .main-svg').length >= 6")
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert errors == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    boxes = [plot.bounding_box() for plot in page.locator(".plot").all()]
    assert all(box and box["width"] >= 300 and box["height"] >= 250 for box in boxes)
    assert page.locator(".best").count() == 1
    page.close()
