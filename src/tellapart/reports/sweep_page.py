"""The learning curves of a sweep as one offline page: accuracy, loss and their gap by epoch, for each factor."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.files import atomic_write
from tellapart.recipe import Recipe
from tellapart.reports.figures.learning_curves import DOTTED
from tellapart.reports.figures.theme import (
    Figure,
    Part,
    accuracy_axis,
    axis,
    figure,
    finite,
    line_style,
    loss_axis,
    plotly_safe,
    shortened,
)
from tellapart.reports.figures.ticks import epoch_ticks
from tellapart.reports.render import page_html
from tellapart.reports.report import Drawing
from tellapart.studies.sweep.plan import GRID, Trial, gap
from tellapart.studies.sweep.sweep import Round, Sweep
from tellapart.studies.sweep.table import cells, header, short
from tellapart.text import counted
from tellapart.training.fitting.checkpoints import Epoch

PAGE = "curves.html"

Read = Callable[[Epoch], float | None]
Lines = dict[str, Read]
ACCURACY: Lines = {"validation": lambda row: row.val_accuracy, "training": lambda row: row.accuracy}
LOSS: Lines = {"validation": lambda row: row.val_loss, "training": lambda row: row.loss}
GAP: Lines = {"gap": lambda row: 100 * gap(row)}


@dataclass(frozen=True)
class PageRound:
    """A round on the page: its trials as rows of text, each with True for the best of the sweep, and its figures."""

    anchor: str
    title: str
    rows: tuple[tuple[list[str], bool], ...]
    drawings: tuple[Drawing, ...]


def write_curves(sweep: Sweep) -> Path:
    """Write `curves.html` into the sweep's folder. Returns its path."""
    path = sweep.folder / PAGE
    atomic_write(path, sweep_html(sweep))
    return path


def sweep_html(sweep: Sweep) -> str:
    """Render the page: the best trial, then a table and the curves of each round."""
    rounds = [_page_round(sweep, each, number) for number, each in enumerate(sweep.rounds, start=1)]
    return page_html(
        "sweep.html.jinja",
        name=sweep.folder.name,
        trials=len(sweep.trials),
        winner=sweep.winner.number,
        best=sweep.winner.best,
        warnings=[(number, str(reason)) for number, reasons in sweep.warnings.items() for reason in reasons],
        values=", ".join(
            f"{name} {short(getattr(sweep.recipe, name))}"
            for name in sweep.columns
            if getattr(sweep.recipe, name) is not None
        ),
        header=header(sweep.columns),
        rounds=rounds,
        sections=[(each.anchor, each.title, True) for each in rounds],
    )


def sweep_figures(sweep_round: Round, columns: Sequence[str]) -> Iterator[Drawing]:
    """Yield the figures of a round: a line for each trial, dotted for training."""
    yield Drawing(
        "Accuracy",
        "Each colour is a trial, and the large point is its best epoch; training accuracy is measured during training, "
        "with dropout and augmentation where they are used.",
        _figure(sweep_round, columns, "accuracy", ACCURACY),
    )
    yield Drawing("Loss", "The lower the better.", _figure(sweep_round, columns, "loss (nats)", LOSS))
    yield Drawing(
        "Gap",
        "Training minus validation accuracy: a gap that grows is over-fitting.",
        _figure(sweep_round, columns, "gap (points)", GAP),
    )


def trial_label(recipe: Recipe, sweep_round: Round, columns: Sequence[str]) -> str:
    """Name a trial by the values that the round varies."""
    if sweep_round.factor != GRID:
        return short(getattr(recipe, sweep_round.factor)) or "none"
    return ", ".join(f"{name} {short(getattr(recipe, name))}" for name in columns)


def _figure(sweep_round: Round, columns: Sequence[str], title: str, lines: Lines) -> Figure:
    data = [
        _trace(trial, trial_label(trial.recipe, sweep_round, columns), part, read, number)
        for number, trial in enumerate(sweep_round.trials)
        for part, read in lines.items()
    ]
    values = [value for trace in data for value in trace["y"]]
    epochs = max((len(trial.history) for trial in sweep_round.trials), default=1)
    return figure(
        [*data, *(DOTTED if "training" in lines else [])],
        title="",
        x=axis("epoch", **epoch_ticks(epochs)),
        y=_value_axis(title, values, lines),
    )


def _value_axis(title: str, values: Sequence[float | None], lines: Lines) -> Part:
    if lines is ACCURACY:
        return accuracy_axis(title, values)
    return loss_axis(title, values) if lines is LOSS else axis(title)


def _trace(trial: Trial, name: str, part: str, read: Read, number: int) -> Part:
    """Make the line of a trial by epoch, with a point at its best epoch."""
    style, dotted = line_style(number), part == "training"
    best = [row.epoch == trial.best_epoch and not dotted for row in trial.history]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": shortened(name),
        "legendgroup": str(number),
        "showlegend": not dotted,
        "x": [row.epoch for row in trial.history],
        "y": [finite(read(row)) for row in trial.history],
        "line": {"color": style["color"], "width": 2, "dash": "dot" if dotted else "solid"},
        "marker": {
            "color": style["color"],
            "size": [10 if is_best else 0 for is_best in best],
            "opacity": 1,
            "line": {"width": 0},
        },
        "hovertemplate": f"{plotly_safe(name)}, {part}<br>epoch %{{x}}: %{{y}}<extra></extra>",
    }


def _page_round(sweep: Sweep, sweep_round: Round, number: int) -> PageRound:
    title = "All combinations" if sweep_round.factor == GRID else f"{number}. {sweep_round.factor}"
    rows = tuple(
        (
            cells(trial.number, trial.recipe, sweep.columns, trial.history, trial.best),
            trial.number == sweep.winner.number,
        )
        for trial in sweep_round.trials
    )
    title = f"{title}: {counted(len(rows), 'trial')}"
    return PageRound(f"round-{number}", title, rows, tuple(sweep_figures(sweep_round, sweep.columns)))
