"""The curves of a sweep as one offline page: for each factor accuracy, loss and the gap, by epoch."""

import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from tellapart.errors import require
from tellapart.files import atomic_write
from tellapart.recipe import Recipe
from tellapart.studies.sweep.plan import GRID, Trial, gap
from tellapart.studies.sweep.sweep import Round, Sweep
from tellapart.studies.sweep.table import cells, header, short
from tellapart.training.fitting.checkpoints import Epoch

PAGE = "curves.html"
HEIGHT = 360  # pixels of a figure
# Okabe and Ito 2008: told apart by people with any colour vision; the yellow is left out, too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

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
        turns="\n".join(_section(sweep, turn, number) for number, turn in enumerate(sweep.rounds)),
        script=script,
    )
    path = sweep.folder / PAGE
    atomic_write(path, content)
    return path


def figures(turn: Round, columns: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    """The title of each figure of a turn, and the figure: a line for each trial, dotted where it is of training."""
    accuracy: Lines = {"validation": lambda row: row.val_accuracy, "training": lambda row: row.accuracy}
    loss: Lines = {"validation": lambda row: row.val_loss, "training": lambda row: row.loss}
    percent = {"tickformat": ".0%"}
    yield "Accuracy", _figure(turn, columns, percent, accuracy)
    yield "Loss, on a logarithmic scale", _figure(turn, columns, {"type": "log"}, loss)
    yield "Gap: training less validation accuracy", _figure(turn, columns, percent, {"gap": gap})


def _figure(turn: Round, columns: Sequence[str], axis: Figure, lines: Lines) -> Figure:
    data = [
        _line(trial, label(trial.recipe, turn, columns), name, read, COLOURS[i % len(COLOURS)])
        for i, trial in enumerate(turn.trials)
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


def _line(trial: Trial, name: str, part: str, read: Read, colour: str) -> Figure:
    """A trial by epoch; a point where it was best."""
    dashed = part == "training"
    best = [row.epoch == trial.best_epoch and not dashed for row in trial.history]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "legendgroup": name,
        "showlegend": not dashed,
        "x": [row.epoch for row in trial.history],
        "y": [_finite(read(row)) for row in trial.history],
        "line": {"color": colour, "width": 2, "dash": "dot" if dashed else "solid"},
        "marker": {"color": colour, "size": [10 if one else 0 for one in best], "opacity": 1},
        "hovertemplate": f"{name}, {part}<br>epoch %{{x}}: %{{y}}<extra></extra>",
    }


def label(recipe: Recipe, turn: Round, columns: Sequence[str]) -> str:
    """What a trial is called among those of its turn."""
    if turn.factor != GRID:
        return short(getattr(recipe, turn.factor)) or "none"
    return ", ".join(f"{name} {short(getattr(recipe, name))}" for name in columns)


def _section(sweep: Sweep, turn: Round, number: int) -> str:
    title = "All combinations" if turn.factor == GRID else f"{number + 1}. {turn.factor}"
    parts = [f"<section><h2>{escape(title)}</h2>", _table(sweep, turn), '<div class="figures">']
    for place, (name, figure) in enumerate(figures(turn, sweep.columns)):
        words = json.dumps(figure).replace("<", "\\u003c")
        identity = f"figure-{number}-{place}"
        parts.append(
            f'<figure><figcaption>{escape(name)}</figcaption><div id="{identity}" class="plot"></div>'
            f'<script type="application/json" data-for="{identity}">{words}</script></figure>'
        )
    return "\n".join([*parts, "</div></section>"])


def _table(sweep: Sweep, turn: Round) -> str:
    rows = []
    for trial in turn.trials:
        row = cells(trial.number, trial.recipe, sweep.columns, trial.history, trial.best)
        mark = ' class="best"' if trial.number == sweep.winner.number else ""
        rows.append(f"<tr{mark}>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in header(sweep.columns))
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _lead(sweep: Sweep) -> str:
    values = ", ".join(f"{name} {short(getattr(sweep.recipe, name))}" for name in sweep.columns)
    best = sweep.winner.best
    return (
        f"{len(sweep.trials)} trials. Trial {sweep.winner.number} is best ({values}): after epoch {best.epoch} it "
        f"knows {best.val_accuracy:.1%} of the validation images, with a loss of {best.val_loss:.3f}."
    )


def _finite(value: float | None) -> float | None:
    """JSON knows no numbers that are none: such points are left out."""
    return value if value is not None and abs(value) < float("inf") else None
