"""Numbers as text for a terminal. No figure is made here, only laid out."""

from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.judging.costs import DecisionCosts
from tellapart.notebook.evaluation import NUMBERS, TITLES

BRIEFLY = ("accuracy", "balanced_accuracy", "macro_f1", "top_3", "log_loss", "ece")


def metrics_table(metrics: Mapping[str, Any], *, every: bool = False) -> str:
    """A line per metric, all or the usual ones, and a column per split; each value with its 95 % interval."""
    header = ["", *(f"{split} (n = {facts['n']:,})" for split, facts in metrics.items())]
    rows = [
        [title, *(_cell(name, facts.get(name)) for facts in metrics.values())]
        for name, title in TITLES.items()
        if (every or name in BRIEFLY) and any(name in facts for facts in metrics.values())
    ]
    return aligned([header, *rows])


def cost_table(costs: DecisionCosts) -> str:
    """What an image costs on average by each way of deciding, with 95 % intervals."""
    named = {
        "likeliest class": costs.likeliest,
        "least expected cost": costs.cheapest,
        "the second less the first": costs.difference,
    }
    rows = [[name, f"{one.value:.4g} ({one.low:.4g} to {one.high:.4g})"] for name, one in named.items()]
    return aligned([["an image costs, deciding by", ""], *rows])


def confusion_table(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """Counts: a row for each true class, a column for each predicted one."""
    header = ["true \\ predicted", *classes]
    return aligned([header, *([name, *map(str, row)] for name, row in zip(classes, confusion, strict=True))])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width: the first to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _cell(name: str, estimate: Mapping[str, float] | None) -> str:
    if estimate is None:
        return "not defined"
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    form = ".3f" if name in NUMBERS else ".1%"
    return f"{value:{form}} ({low:{form}} to {high:{form}})"
