"""A run in a notebook: its recipe, its metrics, and the path of its bundle."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tellapart.errors import TellapartError
from tellapart.notebook.evaluation import metrics_html
from tellapart.notebook.html import Html, block, heading, row, sentence
from tellapart.recipe import Recipe
from tellapart.training.run import Run

ROLES = {
    "validation": "choices were made with these images, so these numbers are slightly optimistic",
    "test": "set aside until every choice was made: expect this on new images of the same kind",
}


def run_html(run: Run) -> Html:
    """Render the recipe, a table of metrics for each split, and the path of the bundle; or why they cannot be read."""
    try:
        highlights, splits = _highlights(run.recipe), [_split(name, metrics) for name, metrics in run.metrics.items()]
    except (TellapartError, OSError, ValueError) as error:
        return block(heading(f"Run {run.folder}"), sentence(f"cannot be shown: {error}"))
    return block(
        heading(f"Run {run.folder}"),
        sentence(f"recipe: {highlights}"),
        row(*splits, gap=32),
        sentence(f"bundle: {run.folder / 'bundle'}"),
    )


def _highlights(recipe: Recipe) -> str:
    """Format the model, and each setting that differs from its default."""
    defaults = asdict(Recipe())
    shown = {name: value for name, value in asdict(recipe).items() if name == "model" or value != defaults[name]}
    return ", ".join(f"{name} {_short(value)}" for name, value in shown.items())


def _short(value: object) -> str:
    return "; ".join(value) if isinstance(value, tuple) else str(value)


def _split(split: str, metrics: Mapping[str, Any]) -> Html:
    """Render the metrics of one split in a table of its own, so that validation and test are not mixed up."""
    title = heading(f"{split} (n = {metrics['n']:,})")
    return block(title, sentence(ROLES.get(split, "")), metrics_html(metrics))
