"""The learning curves of a sweep as one offline page: accuracy, loss and their gap by epoch, for each factor."""

import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from tellapart.errors import require
from tellapart.files import atomic_write
from tellapart.recipe import Recipe
from tellapart.reports.figures.theme import COLOURS, finite
from tellapart.studies.sweep.plan import GRID, Trial, gap
from tellapart.studies.sweep.sweep import Round, Sweep
from tellapart.studies.sweep.table import cells, header, short
from tellapart.training.fitting.checkpoints import Epoch

PAGE = "curves.html"
HEIGHT = 360  # pixels of a figure

Figure = dict[str, Any]
Read = Callable[[Epoch], float | None]
Lines = dict[str, Read]


def write_curves(sweep: Sweep) -> Path:
    """Write `curves.html` into the sweep's folder. Returns its path."""
    script = require("plotly.offline", extra="train").get_plotlyjs()
    page = Template((Path(__file__).parent / "curves.template.html").read_text(encoding="utf-8"))
    content = page.substitute(
        title=escape(f"Sweep {sweep.folder.name}"),
        lead=escape(_lead(sweep)),
        warnings=_warnings(sweep),
        rounds="\n".join(_section(sweep, sweep_round, number) for number, sweep_round in enumerate(sweep.rounds)),
        script=script,
    )
    path = sweep.folder / PAGE
    atomic_write(path, content)
    return path


def sweep_figures(sweep_round: Round, columns: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    """Yield the figures of a round with their titles: a line for each trial, dotted for training."""
    accuracy: Lines = {"validation": lambda row: row.val_accuracy, "training": lambda row: row.accuracy}
    loss: Lines = {"validation": lambda row: row.val_loss, "training": lambda row: row.loss}
    percent = {"tickformat": ".0%"}
    yield "Accuracy", _figure(sweep_round, columns, percent, accuracy)
    yield "Loss, on a logarithmic scale", _figure(sweep_round, columns, {"type": "log"}, loss)
    yield "Gap: training minus validation accuracy", _figure(sweep_round, columns, percent, {"gap": gap})


def _figure(sweep_round: Round, columns: Sequence[str], axis: Figure, lines: Lines) -> Figure:
    data = [
        _trace(trial, trial_label(trial.recipe, sweep_round, columns), name, read, COLOURS[i % len(COLOURS)])
        for i, trial in enumerate(sweep_round.trials)
        for name, read in lines.items()
    ]
    layout = {
        "height": HEIGHT,
        "margin": {"l": 52, "r": 12, "t": 8, "b": 40},
        "font": {"family": "system-ui, sans-serif", "size": 13},
        "xaxis": {"title": {"text": "epoch"}, "rangemode": "tozero", "automargin": True},
        "yaxis": {**axis, "automargin": True},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "hovermode": "closest",
        "plot_bgcolor": "#fff",
    }
    return {"data": data, "layout": layout}


def _trace(trial: Trial, name: str, part: str, read: Read, colour: str) -> Figure:
    """Make the line of a trial by epoch, with a point at its best epoch."""
    dotted = part == "training"
    best = [row.epoch == trial.best_epoch and not dotted for row in trial.history]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "legendgroup": name,
        "showlegend": not dotted,
        "x": [row.epoch for row in trial.history],
        "y": [finite(read(row)) for row in trial.history],
        "line": {"color": colour, "width": 2, "dash": "dot" if dotted else "solid"},
        "marker": {"color": colour, "size": [10 if is_best else 0 for is_best in best], "opacity": 1},
        "hovertemplate": f"{name}, {part}<br>epoch %{{x}}: %{{y}}<extra></extra>",
    }


def trial_label(recipe: Recipe, sweep_round: Round, columns: Sequence[str]) -> str:
    """Name a trial by the values that the round varies."""
    if sweep_round.factor != GRID:
        return short(getattr(recipe, sweep_round.factor)) or "none"
    return ", ".join(f"{name} {short(getattr(recipe, name))}" for name in columns)


def _section(sweep: Sweep, sweep_round: Round, number: int) -> str:
    title = "All combinations" if sweep_round.factor == GRID else f"{number + 1}. {sweep_round.factor}"
    parts = [f"<section><h2>{escape(title)}</h2>", _table(sweep, sweep_round), '<div class="figures">']
    for position, (name, figure) in enumerate(sweep_figures(sweep_round, sweep.columns)):
        content = json.dumps(figure).replace("<", "\\u003c")
        identity = f"figure-{number}-{position}"
        parts.append(
            f'<figure><figcaption>{escape(name)}</figcaption><div id="{identity}" class="plot"></div>'
            f'<script type="application/json" data-for="{identity}">{content}</script></figure>'
        )
    return "\n".join([*parts, "</div></section>"])


def _table(sweep: Sweep, sweep_round: Round) -> str:
    rows = []
    for trial in sweep_round.trials:
        row = cells(trial.number, trial.recipe, sweep.columns, trial.history, trial.best)
        mark = ' class="best"' if trial.number == sweep.winner.number else ""
        rows.append(f"<tr{mark}>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in header(sweep.columns))
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _warnings(sweep: Sweep) -> str:
    """Return a paragraph for each warning about a trial."""
    warnings = [(number, reason) for number, reasons in sweep.warnings.items() for reason in reasons]
    return "\n".join(f"<p><strong>Trial {number}:</strong> {escape(str(reason))}.</p>" for number, reason in warnings)


def _lead(sweep: Sweep) -> str:
    values = ", ".join(f"{name} {short(getattr(sweep.recipe, name))}" for name in sweep.columns)
    best = sweep.winner.best
    return (
        f"{len(sweep.trials)} trials. Trial {sweep.winner.number} is best ({values}): after epoch {best.epoch} it "
        f"classifies {best.val_accuracy:.1%} of the validation images correctly, with a loss of {best.val_loss:.3f}."
    )
