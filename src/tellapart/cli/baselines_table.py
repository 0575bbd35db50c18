"""The baselines of a run as a table."""

from collections.abc import Sequence

from tellapart.cli.output import aligned, shown
from tellapart.text import low_to_high, percent, points
from tellapart.training.baselines import Baseline, LeftOut


def baselines_table(baselines: Sequence[Baseline | LeftOut]) -> str:
    """Lay out what a run must beat: each baseline's accuracy, by how much the run is better, the paired test."""
    measured = [baseline for baseline in baselines if isinstance(baseline, Baseline)]
    if not measured:
        return ""
    header = [f"baseline on {measured[0].split}", "accuracy", "this run is better by", "paired test"]
    rows = [[entry.name, *_baseline_cells(entry)] for entry in measured]
    left_out = [f"left out: {entry.name}: {entry.reason}" for entry in baselines if isinstance(entry, LeftOut)]
    return "\n".join([aligned([header, *rows]), *map(shown, left_out)])


def _baseline_cells(baseline: Baseline) -> tuple[str, str, str]:
    accuracy, difference = baseline.accuracy, baseline.difference
    p_value = "p < 0.0001" if baseline.p_value < 1e-4 else f"p = {baseline.p_value:.4f}"
    return (
        f"{percent(accuracy.value)} ({low_to_high(accuracy.low, accuracy.high, '.1%')})",
        f"{points(difference.value)} ({low_to_high(100 * difference.low, 100 * difference.high, '+.1f')})",
        p_value,
    )
