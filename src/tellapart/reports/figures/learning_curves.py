"""Learning curves: accuracy above, loss below, by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tellapart.reports.figures.theme import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    SKY,
    Figure,
    Part,
    accuracy_axis,
    axis,
    empty_figure,
    figure,
    finite,
    legend_line,
    line_style,
    loss_axis,
    plotly_safe,
    shortened,
    wrapped,
)
from tellapart.reports.figures.ticks import epoch_ticks, log_ticks, typed
from tellapart.studies.lr_find import RateTest
from tellapart.text import counted
from tellapart.training.fitting.checkpoints import Epoch

HEIGHT = 480  # pixels
ACCURACY_DOMAIN, LOSS_DOMAIN = [0.54, 1.0], [0.0, 0.44]  # of the height, for the two frames
TRAINING_FIELDS, VALIDATION_FIELDS = ("accuracy", "loss"), ("val_accuracy", "val_loss")


DOTTED = [
    legend_line("solid: validation", {"color": GREY, "width": 2}),
    legend_line("dotted: training", {"color": GREY, "width": 2, "dash": "dot"}),
]
"""The entries of a legend for two styles of lines."""


@dataclass(frozen=True)
class Curve:
    """The epochs of one run, on its training or validation images, and the style of their lines."""

    name: str
    rows: Sequence[Epoch]
    fields: tuple[str, str]
    style: Part

    def values(self, metric: int) -> list[float | None]:
        """Return the accuracy (0) or the loss (1) of each epoch; None where it is not finite."""
        return [finite(getattr(row, self.fields[metric])) for row in self.rows]


def history(epochs: Sequence[Epoch], *, best: int | None = None) -> Figure:
    """Draw a run's accuracy and loss, dotted for training and solid for validation, with a line at the best epoch.

    `best` is the number of that epoch, by default the one with the lowest validation loss.
    """
    if not epochs:
        return empty_figure("Training", "there is no epoch")
    best = best if best is not None else _best_epoch(epochs)
    curves = [Curve("training", epochs, TRAINING_FIELDS, {"color": ORANGE, "dash": "dot", "width": 2})]
    if _has_validation(epochs):
        curves.append(Curve("validation", epochs, VALIDATION_FIELDS, {"color": BLUE, "width": 2}))
    mark = {"type": "line", "x0": best, "x1": best, "y0": 0, "y1": 1, "yref": "paper"}
    shapes = [mark | {"line": {"color": GREY, "width": 1, "dash": "dash"}, "layer": "below"}]
    legend = [legend_line("best epoch", {"color": GREY, "width": 1, "dash": "dash"})]
    return _accuracy_and_loss(curves, f"Best after epoch {best} of {len(epochs)}", shapes, legend)


def histories(runs: Mapping[str, Sequence[Epoch]]) -> Figure:
    """Draw several runs on the same axes: validation, or training, dotted, where there is no validation."""
    curves = []
    for number, (name, epochs) in enumerate((name, epochs) for name, epochs in runs.items() if epochs):
        validated = _has_validation(epochs)
        style = {"color": line_style(number)["color"], "width": 2, "dash": "solid" if validated else "dot"}
        curves.append(Curve(name, epochs, VALIDATION_FIELDS if validated else TRAINING_FIELDS, style))
    if not curves:
        return empty_figure("Training", "there is no epoch")
    dotted = any(curve.fields == TRAINING_FIELDS for curve in curves)
    return _accuracy_and_loss(curves, f"{counted(len(curves), 'run')}, epoch by epoch", [], DOTTED if dotted else [])


def _accuracy_and_loss(curves: Sequence[Curve], title: str, shapes: list[Part], legend: list[Part]) -> Figure:
    epochs = max(row.epoch for curve in curves for row in curve.rows)
    accuracies, losses = ([value for curve in curves for value in curve.values(metric)] for metric in (0, 1))
    return figure(
        [*(_trace(curve, metric) for curve in curves for metric in (0, 1)), *legend],
        title=title,
        x=axis("epoch", anchor="y2", **epoch_ticks(epochs)),
        y=accuracy_axis("accuracy", accuracies, domain=ACCURACY_DOMAIN),
        yaxis2=loss_axis("loss (nats)", losses, domain=LOSS_DOMAIN),
        shapes=shapes,
        height=HEIGHT,
    )


def _trace(curve: Curve, metric: int) -> Part:
    name, form = (("accuracy", ".1%"), ("loss", ".4f"))[metric]
    part = "training" if curve.fields == TRAINING_FIELDS else "validation"
    lead = wrapped(curve.name) if curve.name == part else f"{wrapped(curve.name)}<br>{part}"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": shortened(curve.name),
        "legendgroup": plotly_safe(curve.name),
        "showlegend": metric == 0,
        "x": [row.epoch for row in curve.rows],
        "y": curve.values(metric),
        "yaxis": ("y", "y2")[metric],
        "line": curve.style,
        "marker": {"size": 4 if len(curve.rows) > 1 else 9},
        "hovertemplate": f"{lead} {name} %{{y:{form}}}<br>epoch %{{x}}<extra></extra>",
    }


def _has_validation(epochs: Sequence[Epoch]) -> bool:
    return any(row.val_accuracy is not None or row.val_loss is not None for row in epochs)


def _best_epoch(epochs: Sequence[Epoch]) -> int:
    judged = [(value, row.epoch) for row in epochs if (value := finite(row.val_loss)) is not None]
    return min(judged)[1] if judged else epochs[-1].epoch


def lr_curve(result: RateTest) -> Figure:
    """Draw the loss of each batch and the smoothed loss over the learning rate, and mark the suggested rates."""
    marks = _marks(result)
    return figure(
        [
            _line(result, "losses", "each batch", SKY, 1),
            _line(result, "smoothed", "smoothed", BLUE, 3),
            *(legend_line(f"{name}: {typed(float(f'{rate:.1e}'))}", style) for rate, style, name in marks),
        ],
        title="Loss while the learning rate grows",
        x=axis("learning rate", **log_ticks(result.rates.tolist())),
        y=axis("loss (nats)", range=[0, loss_ceiling(result)]),
        shapes=[
            {"type": "line", "x0": rate, "x1": rate, "y0": 0, "y1": 1, "yref": "paper", "line": style}
            for rate, style, _ in marks
        ],
    )


def loss_ceiling(result: RateTest) -> float:
    """Return the highest loss that is drawn: those of far too high rates would flatten the rest of the curve."""
    return float(max(1.25 * result.smoothed[: len(result.rates) // 2].max(), result.smoothed.min() * 2))


def _line(result: RateTest, field: str, name: str, colour: str, width: int) -> Part:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": result.rates.tolist(),
        "y": getattr(result, field).tolist(),
        "line": {"color": colour, "width": width},
        "hovertemplate": f"{name}: %{{y:.3f}}<br>rate %{{x:.1e}}<extra></extra>",
    }


def _marks(result: RateTest) -> list[tuple[float, Part, str]]:
    """Return for each mark its rate, the style of its line, and its name."""
    if not result.learned:
        return []
    return [
        (result.steepest, {"color": RED, "width": 2}, "steepest"),
        (result.tenth, {"color": GREEN, "width": 2, "dash": "dash"}, "a tenth of the least"),
    ]
