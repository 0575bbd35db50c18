"""The range test of the learning rate as one HTML page that works without a network."""

from pathlib import Path

from tellapart.files import atomic_write
from tellapart.reports.figures.learning_curves import lr_curve
from tellapart.reports.figures.theme import CAPTIONS
from tellapart.reports.figures.ticks import typed
from tellapart.reports.render import page_html
from tellapart.reports.report import Drawing, Table
from tellapart.studies.lr_find import RateTest


def write_lr_page(result: RateTest, path: Path) -> None:
    """Write the page. Raises StorageError."""
    atomic_write(path, lr_html(result))


def lr_html(result: RateTest) -> str:
    """Render the page: the recommended rate, the curve, and a table of its steps."""
    marks = (
        [("least loss at", result.least), ("a tenth of that", result.tenth), ("falls the fastest at", result.steepest)]
        if result.learned
        else []
    )
    rows = zip(result.rates.tolist(), result.losses.tolist(), result.smoothed.tolist(), strict=True)
    return page_html(
        "lr_find.html.jinja",
        recommended=typed(result.recommended) if result.learned else "",
        marks=[(name, _two_digits(rate)) for name, rate in marks],
        curve=Drawing("Loss over the learning rate", CAPTIONS["lr_curve"], lr_curve(result)),
        steps=Table(
            ("rate", "loss", "smoothed"),
            tuple((f"{rate:.2e}", f"{loss:.3f}", f"{smoothed:.3f}") for rate, loss, smoothed in rows),
        ),
        sections=[("curve", "The range test", True), ("steps", "Steps", True)],
    )


def _two_digits(rate: float) -> str:
    return typed(float(f"{rate:.1e}"))
