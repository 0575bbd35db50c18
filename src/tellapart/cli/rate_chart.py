"""The curve of a range test as text, and saved as PNG or as a page."""

import math
from pathlib import Path

from tellapart.cli.tables import aligned
from tellapart.errors import RecipeError
from tellapart.files import atomic_write
from tellapart.reports import figures
from tellapart.reports.figures.lr_curve import loss_ceiling, lr_curve
from tellapart.reports.png import require_chromium, write_png
from tellapart.studies.lr_find import RateTest

PER_DECADE = 2  # rows of the curve as text
BAR = 40  # characters for the highest loss that is drawn


def require_known(path: Path) -> None:
    """Refuse a file that cannot be written. Raises RecipeError unless it is .png or .html; .png needs Chromium."""
    if path.suffix.lower() not in (".png", ".html"):
        raise RecipeError(f"a curve cannot be saved as {path}: name a .png or .html file")
    if path.suffix.lower() == ".png":
        require_chromium()


def save(result: RateTest, path: Path) -> None:
    """Write the curve as PNG, or as an .html page that needs no network."""
    figure = lr_curve(result)
    if path.suffix.lower() == ".png":
        write_png(figure, path)
    else:
        atomic_write(path, figure.to_html(include_plotlyjs=True, config=dict(figures.CONFIG)))


def text(result: RateTest) -> str:
    """Return a row for each half decade: the rate, the smoothed loss, and a bar."""
    count = len(result.rates)
    decades = math.log10(result.rates[-1] / result.rates[0])
    rows = max(2, round(decades * PER_DECADE) + 1)
    steps = sorted({round(row * (count - 1) / (rows - 1)) for row in range(rows)})
    ceiling = loss_ceiling(result)
    lines = [["rate", "loss", ""]]
    for step in steps:
        loss = float(result.smoothed[step])
        bar = "#" * round(BAR * min(loss / ceiling, 1)) + (">" if loss > ceiling else "")
        lines.append([f"{result.rates[step]:.1e}", f"{loss:.3f}", bar.ljust(BAR + 1)])
    return "\n".join(line.rstrip() for line in aligned(lines).splitlines())
