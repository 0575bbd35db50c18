"""The curve of a learning rate range test."""

import math

from tellapart.reports.figures.theme import BLUE, GREEN, RED, SKY, Figure, Part, axis, figure
from tellapart.studies.lr_find import RateTest


def lr_curve(result: RateTest) -> Figure:
    """Draw the loss of each batch and the smoothed loss over the learning rate, and mark the suggested rates."""
    marks = _marks(result)
    return figure(
        [_line(result, "losses", "each batch", SKY, 1), _line(result, "smoothed", "smoothed", BLUE, 3)],
        title="Loss while the learning rate grows",
        x=axis("learning rate", type="log", exponentformat="power"),
        y=axis("loss (nats)", range=[0, loss_ceiling(result)]),
        shapes=[
            {"type": "line", "x0": rate, "x1": rate, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": colour}}
            for rate, colour, _, _ in marks
        ],
        annotations=[
            {
                "text": f"{name} {rate:.1e}", "x": math.log10(rate), "xanchor": side, "y": 1, "yref": "paper",
                "yanchor": "top", "showarrow": False, "font": {"color": colour},
            }
            for rate, colour, name, side in marks
        ],
    )  # fmt: skip


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


def _marks(result: RateTest) -> list[tuple[float, str, str, str]]:
    """Return for each mark its rate, its colour, its name, and which end of the name is at the rate."""
    if not result.learned:
        return []
    ends = ("right", "left") if result.steepest <= result.tenth else ("left", "right")
    return [
        (result.steepest, RED, "steepest", ends[0]),
        (result.tenth, GREEN, "a tenth of the least", ends[1]),
    ]
