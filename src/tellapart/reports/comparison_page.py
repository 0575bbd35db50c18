"""A comparison as one HTML file that needs no network: tables, paired tests, curves over each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tellapart.files import atomic_write
from tellapart.reports import figures
from tellapart.reports.compare import MOST_PAIRED, Compared, Side
from tellapart.reports.comparison_words import pairs_table, runs_table, sentences, settings_table
from tellapart.reports.figures.words import short
from tellapart.reports.ladder_history import curve_of
from tellapart.reports.page import page_html
from tellapart.reports.report import Drawing, Judging, Table
from tellapart.training.fitting.checkpoints import History


@dataclass(frozen=True)
class Shown:
    """What the page shows of one split, and of that split alone."""

    split: Judging
    n: int
    table: Table
    drawings: tuple[Drawing, ...]


def write_comparison(compared: Compared, path: Path) -> None:
    """Write a comparison's page. Raises StorageError, and RunError where a run's curves cannot be read."""
    atomic_write(path, comparison_html(compared, created=f"{datetime.now():%d %B %Y, %H:%M}"))


def comparison_html(compared: Compared, *, created: str) -> str:
    """Render a comparison's page. Raises RunError where a run's curves cannot be read."""
    names = [one.name for one in compared.contenders]
    history = _history(compared)
    return page_html(
        "comparison.html.jinja",
        title=f"{', '.join(names[:-1])} and {names[-1]}" if len(names) <= MOST_PAIRED else f"{len(names)} runs",
        created=created,
        sections=[
            ("better", "Is one better?", True),
            ("test", "Test", True),
            ("validation", "Validation", compared.validation is not None),
            ("learning", "How they learned", history is not None),
            ("settings", "What differs", True),
            ("notes", "Notes", bool(compared.notes)),
        ],
        compared=compared,
        sentences=list(sentences(compared)),
        pairs=pairs_table(compared),
        test=_shown(compared, compared.test),
        validation=_shown(compared, compared.validation) if compared.validation else None,
        history=history,
        settings=settings_table(compared.contenders),
    )


def _shown(compared: Compared, side: Side) -> Shown:
    return Shown(side.split, side.n, runs_table(compared.contenders, side), tuple(_drawings(side)))


def _drawings(side: Side) -> Iterator[Drawing]:
    accuracies = {name: found.accuracy for name, found in side.evaluations.items()}
    yield Drawing("Accuracies", figures.CAPTIONS["comparison"], figures.comparison(accuracies))
    if side.split == "test" and len(side.evaluations) <= MOST_PAIRED:  # more lines cannot be told apart
        graph = figures.reliability(side.evaluations)
        errors = (f"{short(name)} {found.ece.value:.1%}" for name, found in side.evaluations.items())
        graph.update_layout(title_text=f"Calibration error: {', '.join(errors)}")
        yield Drawing("Reliability", figures.CAPTIONS["reliability"], graph)


def _history(compared: Compared) -> Drawing | None:
    curves: Mapping[str, History] = {one.name: curve_of(one.folder) for one in compared.contenders}
    found = {name: curve for name, curve in curves.items() if curve}
    return Drawing("Learning curves", figures.CAPTIONS["histories"], figures.histories(found)) if found else None
