"""Numbers as text for a terminal. No figure is made here, only laid out."""

from collections.abc import Mapping, Sequence
from typing import Any

PERCENT = {"accuracy": "accuracy", "macro_f1": "macro F1", "top_3": "top-3 accuracy"}


def metrics_table(metrics: Mapping[str, Any]) -> str:
    """A line per metric and a column per split, each value with its 95 % interval."""
    names = {**PERCENT, "log_loss": "log-loss"}
    header = ["", *(f"{split} (n = {facts['n']:,})" for split, facts in metrics.items())]
    rows = [
        [title, *(_cell(name, facts[name]) for facts in metrics.values())]
        for name, title in names.items()
        if all(name in facts for facts in metrics.values())
    ]
    return aligned([header, *rows])


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


def _cell(name: str, estimate: Mapping[str, float]) -> str:
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if name in PERCENT:
        return f"{value:.1%} ({low:.1%} to {high:.1%})"
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
