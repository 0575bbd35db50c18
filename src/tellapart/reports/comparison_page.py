"""A comparison as one HTML file that works without a network: tables, paired tests and learning curves."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tellapart.files import atomic_write
from tellapart.reports import figures
from tellapart.reports.compare import MAX_PAIRED, ComparedSplit, RunComparison
from tellapart.reports.comparison_tables import comparison_sentences, pairs_table, runs_table, settings_table
from tellapart.reports.figures.plotly_text import shortened
from tellapart.reports.ladder_history import read_learning_curve
from tellapart.reports.render import page_html
from tellapart.reports.report import Drawing, EvaluatedSplit, Table


@dataclass(frozen=True)
class SplitSection:
    """The content of the section about one split, and about that split alone."""

    split: EvaluatedSplit
    n: int
    table: Table
    drawings: tuple[Drawing, ...]


def write_comparison(comparison: RunComparison, path: Path) -> None:
    """Write a comparison's page. Raises StorageError, and RunError where a run's curves cannot be read."""
    atomic_write(path, comparison_html(comparison, created=f"{datetime.now():%d %B %Y, %H:%M}"))


def comparison_html(comparison: RunComparison, *, created: str) -> str:
    """Render a comparison's page. Raises RunError where a run's curves cannot be read."""
    names = [run.name for run in comparison.runs]
    history = _history(comparison)
    return page_html(
        "comparison.html.jinja",
        title=f"{', '.join(names[:-1])} and {names[-1]}" if len(names) <= MAX_PAIRED else f"{len(names)} runs",
        created=created,
        sections=[
            ("better", "Which is better?", True),
            ("test", "Test", True),
            ("validation", "Validation", comparison.validation is not None),
            ("learning", "Training", history is not None),
            ("settings", "Settings", True),
            ("notes", "Notes", bool(comparison.notes)),
        ],
        comparison=comparison,
        sentences=list(comparison_sentences(comparison)),
        pairs=pairs_table(comparison),
        test=_split_section(comparison, comparison.test),
        validation=_split_section(comparison, comparison.validation) if comparison.validation else None,
        history=history,
        settings=settings_table(comparison.runs),
    )


def _split_section(comparison: RunComparison, split: ComparedSplit) -> SplitSection:
    return SplitSection(split.split, split.n, runs_table(comparison.runs, split), tuple(_drawings(split)))


def _drawings(split: ComparedSplit) -> Iterator[Drawing]:
    accuracies = {name: evaluation.accuracy for name, evaluation in split.evaluations.items()}
    yield Drawing("Accuracy", figures.CAPTIONS["comparison"], figures.comparison(accuracies))
    if split.split == "test" and len(split.evaluations) <= MAX_PAIRED:  # more lines would be hard to distinguish
        figure = figures.reliability(split.evaluations)
        errors = (f"{shortened(name)} {evaluation.ece.value:.1%}" for name, evaluation in split.evaluations.items())
        figure.update_layout(title_text=f"Calibration error: {', '.join(errors)}")
        yield Drawing("Reliability", figures.CAPTIONS["reliability"], figure)


def _history(comparison: RunComparison) -> Drawing | None:
    curves = {run.name: curve for run in comparison.runs if (curve := read_learning_curve(run.folder))}
    return Drawing("Learning curves", figures.CAPTIONS["histories"], figures.histories(curves)) if curves else None
