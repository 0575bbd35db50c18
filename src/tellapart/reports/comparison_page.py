"""A comparison as one HTML file that needs no network: tables, paired tests, curves over each other."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tellapart.errors import RunError
from tellapart.files import atomic_write
from tellapart.reports import figures
from tellapart.reports.compare import MOST_PAIRED, Compared, Side
from tellapart.reports.comparison_words import pairs_table, runs_table, sentences, settings_table
from tellapart.reports.figures.words import short
from tellapart.reports.page import page_html
from tellapart.reports.report import Drawing, Judging, Table
from tellapart.training.checkpoints import History, read_history


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


def curve_of(folder: Path) -> History:
    """The epochs that made a run's classifier, stage after stage; none where it has no curve. Raises RunError.

    Of a climbed ladder those of the last step that was kept.
    """
    place = _last_kept(folder)
    if place is not None:
        tries = [read_history(path) for path in sorted(place.rglob("history.csv"))]
        return max(filter(None, tries), key=_rank, default=())
    paths = [folder / "history.csv", *sorted(folder.glob("stage-*/history.csv"), key=_stage)]
    rows = [row for path in paths if path.exists() for row in read_history(path)]
    return tuple(replace(row, epoch=number) for number, row in enumerate(rows, start=1))


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


def _last_kept(folder: Path) -> Path | None:
    """The folder of the step that a climb ended with; None where there was no climb."""
    path = folder / "ladder.csv"
    if not path.exists():
        return None
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            kept = [number for number, row in enumerate(csv.DictReader(stream), start=1) if row["kept"] == "True"]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise RunError(f"{path} cannot be read ({error!r}): train again") from error
    return next((folder / "steps").glob(f"{kept[-1]}-*"), None) if kept else None


def _rank(history: History) -> tuple[float, float]:
    """How good the best epoch of a try is on validation: accuracy, and of equals the lesser loss."""
    return max((row.val_accuracy or 0.0, -(row.val_loss or 0.0)) for row in history)


def _stage(path: Path) -> int:
    number = path.parent.name.removeprefix("stage-")
    return int(number) if number.isdecimal() else 0
