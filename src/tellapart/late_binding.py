"""Calls from lower to higher layers, resolved by name at call time, so that imports only go downward."""

import importlib
from collections.abc import Callable
from typing import Any

TARGETS = {
    "open_source": "tellapart.data.sources.open_source",
    "lookup": "tellapart.models.catalogue",
    "dataset_html": "tellapart.notebook.dataset",
    "evaluation_html": "tellapart.notebook.evaluation",
    "prediction_html": "tellapart.notebook.prediction",
    "unreadable_html": "tellapart.notebook.prediction",
    "run_html": "tellapart.notebook.run",
}
"""The module of each function that may be called this way."""


def late_bound(name: str) -> Callable[..., Any]:
    """Import one of `TARGETS`. Raises KeyError for any other name."""
    function: Callable[..., Any] = getattr(importlib.import_module(TARGETS[name]), name)
    return function
