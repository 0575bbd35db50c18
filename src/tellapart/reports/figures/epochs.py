"""How training went: accuracy above, loss below, epoch by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tellapart.reports.figures.theme import BLUE, GREY, ORANGE, Figure, Part, axis, empty, figure, line_style
from tellapart.reports.figures.words import finite, plain, short, whole
from tellapart.training.fitting.checkpoints import Epoch

HEIGHT = 480  # pixels
ABOVE, BELOW = [0.54, 1.0], [0.0, 0.44]  # where the two frames stand
STEEP = 20.0  # a loss that falls by more is drawn on a logarithmic scale
TRAINING, VALIDATION = ("accuracy", "loss"), ("val_accuracy", "val_loss")


@dataclass(frozen=True)
class Line:
    """Rows of one run, of its training or validation images, and how they look."""

    name: str
    rows: Sequence[Epoch]
    fields: tuple[str, str]
    look: Part

    def values(self, place: int) -> list[float | None]:
        """Accuracy, 0, or loss, 1, of each epoch; None where it is no number."""
        return [finite(getattr(row, self.fields[place])) for row in self.rows]


def history(epochs: Sequence[Epoch], *, best: int | None = None) -> Figure:
    """Draw a run's accuracy and loss, of training dotted and of validation solid, with a line at the best epoch.

    `best` is the number of the epoch that counts, unless stated that of the least validation loss.
    """
    if not epochs:
        return empty("Training", "there is no epoch")
    best = best if best is not None else _best(epochs)
    lines = [Line("training", epochs, TRAINING, {"color": ORANGE, "dash": "dot", "width": 2})]
    if _validated(epochs):
        lines.append(Line("validation", epochs, VALIDATION, {"color": BLUE, "width": 2}))
    mark = {"type": "line", "x0": best, "x1": best, "y0": 0, "y1": 1, "yref": "paper"}
    shapes = [mark | {"line": {"color": GREY, "width": 1, "dash": "dash"}, "layer": "below"}]
    return _frames(lines, f"Best after epoch {best} of {len(epochs)}", shapes)


def histories(runs: Mapping[str, Sequence[Epoch]]) -> Figure:
    """Draw several runs over each other: their validation images, or where there are none training, dotted."""
    lines = []
    for number, (name, epochs) in enumerate((name, epochs) for name, epochs in runs.items() if epochs):
        validated = _validated(epochs)
        look = {"color": line_style(number)["color"], "width": 2, "dash": "solid" if validated else "dot"}
        lines.append(Line(name, epochs, VALIDATION if validated else TRAINING, look))
    if not lines:
        return empty("Training", "there is no epoch")
    return _frames(lines, f"{len(lines)} run{'' if len(lines) == 1 else 's'}, epoch by epoch", [])


def _frames(lines: Sequence[Line], title: str, shapes: list[Part]) -> Figure:
    epochs = max(row.epoch for line in lines for row in line.rows)
    x = axis("epoch", anchor="y2", tickformat="d", range=[0.5, epochs + 0.5], **({"dtick": 1} if epochs < 10 else {}))
    return figure(
        [_trace(line, place) for line in lines for place in (0, 1)],
        title=title,
        x=x,
        y=axis("accuracy", domain=ABOVE, tickformat=".0%"),
        yaxis2=axis("loss (nats)", domain=BELOW, **_scale(lines)),
        shapes=shapes,
        height=HEIGHT,
    )


def _trace(line: Line, place: int) -> Part:
    what, form = (("accuracy", ".1%"), ("loss", ".4f"))[place]
    part = "training" if line.fields == TRAINING else "validation"
    lead = whole(line.name) if line.name == part else f"{whole(line.name)}<br>{part}"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": short(line.name),
        "legendgroup": plain(line.name),
        "showlegend": place == 0,
        "x": [row.epoch for row in line.rows],
        "y": line.values(place),
        "yaxis": ("y", "y2")[place],
        "line": line.look,
        "marker": {"size": 4 if len(line.rows) > 1 else 9},
        "hovertemplate": f"{lead} {what} %{{y:{form}}}<br>epoch %{{x}}<extra></extra>",
    }


def _scale(lines: Sequence[Line]) -> Part:
    losses = [value for line in lines for value in line.values(1) if value is not None and value > 0]
    steep = bool(losses) and max(losses) > STEEP * min(losses)
    return {"type": "log"} if steep else {"rangemode": "tozero"}


def _validated(epochs: Sequence[Epoch]) -> bool:
    return any(row.val_accuracy is not None or row.val_loss is not None for row in epochs)


def _best(epochs: Sequence[Epoch]) -> int:
    judged = [(value, row.epoch) for row in epochs if (value := finite(row.val_loss)) is not None]
    return min(judged)[1] if judged else epochs[-1].epoch
