"""How a run shows itself in a notebook: what was asked, what came of it, and where the classifier is."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tellapart.errors import TellapartError
from tellapart.notebook.evaluation import metrics_html
from tellapart.notebook.html import Html, block, heading, row, sentence
from tellapart.recipe import Recipe
from tellapart.training.run import Run

ROLES = {
    "validation": "choices were made on these images, so these numbers flatter a little",
    "test": "kept apart until every choice was made: expect this of new images like these",
}


def run_html(run: Run) -> Html:
    """Highlights of its recipe, a table of metrics for each split, and its bundle's folder; or why there are none."""
    try:
        highlights, judged = _highlights(run.recipe), [_judged(name, facts) for name, facts in run.metrics.items()]
    except (TellapartError, OSError, ValueError) as error:
        return block(heading(f"Run {run.folder}"), sentence(f"cannot be shown: {error}"))
    return block(
        heading(f"Run {run.folder}"),
        sentence(f"recipe: {highlights}"),
        row(*judged, gap=32),
        sentence(f"bundle: {run.folder / 'bundle'}"),
    )


def _highlights(recipe: Recipe) -> str:
    """The model, and each field that is not as it is when nothing is asked for."""
    usual = asdict(Recipe())
    asked = {name: value for name, value in asdict(recipe).items() if name == "model" or value != usual[name]}
    return ", ".join(f"{name} {_short(value)}" for name, value in asked.items())


def _short(value: object) -> str:
    return "; ".join(value) if isinstance(value, tuple) else str(value)


def _judged(split: str, facts: Mapping[str, Any]) -> Html:
    """One split's metrics in a table of its own: those of validation and of test are never to be mixed up."""
    title = heading(f"{split} (n = {facts['n']:,})")
    return block(title, sentence(ROLES.get(split, "")), metrics_html(facts))
