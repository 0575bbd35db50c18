"""Scores as dots, with their 95 % intervals as bars."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from tellapart.bundles.predictor import Prediction
from tellapart.judging.evaluation import Evaluation
from tellapart.judging.intervals import Estimate
from tellapart.judging.per_class import ClassScores
from tellapart.reports.figures.theme import (
    BLUE,
    GREEN,
    ORANGE,
    SKY,
    Figure,
    Part,
    axis,
    empty_figure,
    figure,
    interval_bars,
    round_down_to_tenth,
    share_axis,
    shortened,
    with_interval,
    wrapped,
)
from tellapart.text import counted, percent

MAX_CLASSES = 30
ROW_HEIGHT, MARGIN_HEIGHT = 36, 130  # pixels: of a row, and of the space above and below all rows
Read = Callable[[ClassScores], Estimate | None]
SCORES: Mapping[str, tuple[Read, str, str, float]] = {
    "F1": (lambda scores: scores.f1, BLUE, "circle", 0.0),
    "precision": (lambda scores: scores.precision, ORANGE, "triangle-up", -0.24),
    "recall": (lambda scores: scores.recall, GREEN, "square", 0.24),
}
"""Each score of a class: its reader, colour, marker symbol, and offset below the middle of its row, in rows."""
BAR_HEIGHT, BARS_MARGIN = 34, 100  # pixels: of a bar, and of the space above and below all bars


def per_class(evaluation: Evaluation) -> Figure:
    """Draw F1, precision and recall of each class, the lowest F1 on top; of many classes only the lowest."""
    scored = [scores for scores in evaluation.per_class if _estimates(scores)]
    if not scored:
        return empty_figure("Scores by class", "no class has a score")
    scored.sort(key=lambda scores: scores.f1.value if scores.f1 else 0.0)
    shown = scored[:MAX_CLASSES]
    low = min(estimate.low for scores in shown for estimate in _estimates(scores))
    return figure(
        [_dots(name, shown) for name in SCORES],
        title=_title(len(evaluation.classes), len(scored)),
        x=share_axis("score, 1 is perfect", low=round_down_to_tenth(low), percent=False),
        y=_row_axis([f"{shortened(scores.name)} ({scores.n:,})" for scores in shown]),
        height=MARGIN_HEIGHT + ROW_HEIGHT * len(shown),
    )


def comparison(accuracies: Mapping[str, Estimate]) -> Figure:
    """Draw the accuracies of several models or baselines on the same images, the highest on top."""
    ranked = sorted(accuracies.items(), key=lambda item: item[1].value, reverse=True)
    if not ranked:
        return empty_figure("Accuracies", "there is no model to compare")
    rows = [
        (row, estimate, f"{wrapped(name)}<br>accuracy {with_interval(estimate, percent=True)}")
        for row, (name, estimate) in enumerate(ranked)
    ]
    low = min(estimate.low for estimate in accuracies.values())
    return figure(
        [_scatter(rows, BLUE) | {"showlegend": False}],
        title=f"Best of {len(ranked)}: {percent(ranked[0][1].value)} correct",
        x=share_axis("accuracy (95 % interval)", low=round_down_to_tenth(low)),
        y=_row_axis([shortened(name) for name, _ in ranked]),
        height=MARGIN_HEIGHT + ROW_HEIGHT * len(ranked),
    )


def _estimates(scores: ClassScores) -> list[Estimate]:
    return [estimate for read, *_ in SCORES.values() if (estimate := read(scores))]


def _title(classes: int, scored: int) -> str:
    if scored > MAX_CLASSES:
        return f"The {MAX_CLASSES} worst of {classes:,} classes"
    return f"{classes} classes, the worst first" if scored == classes else f"{scored} of {classes} classes have scores"


def _row_axis(names: Sequence[str]) -> Part:
    """Make an axis with a name in each row, the first on top."""
    ticks = {"tickvals": list(range(len(names))), "ticktext": list(names)}
    return axis("", range=[len(names) - 0.5, -0.5], **ticks)


def _dots(score: str, shown: Sequence[ClassScores]) -> Part:
    read, colour, symbol, offset = SCORES[score]
    rows = [
        (
            row + offset,
            estimate,
            f"{wrapped(scores.name)}, {counted(scores.n, 'image')}<br>{score} {with_interval(estimate)}",
        )
        for row, scores in enumerate(shown)
        if (estimate := read(scores))
    ]
    return _scatter(rows, colour, symbol) | {"name": score}


def _scatter(rows: Iterable[tuple[float, Estimate, str]], colour: str, symbol: str = "circle") -> Part:
    """Make dots from (row, estimate, hover text)."""
    positions, estimates, hovers = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), ())
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [estimate.value for estimate in estimates],
        "y": list(positions),
        "error_x": interval_bars(estimates),
        "marker": {"color": colour, "symbol": symbol, "size": 9},
        "hovertext": list(hovers),
        "hoverinfo": "text",
    }


def probabilities(prediction: Prediction) -> Figure:
    """Draw the probability of each class that a prediction lists, the most probable on top."""
    top = prediction.top
    rows = list(range(len(top)))
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [choice.probability for choice in top],
        "y": rows,
        "width": 0.7,
        "marker": {"color": [BLUE, *[SKY] * (len(top) - 1)]},
        "text": [percent(choice.probability) for choice in top],
        "textposition": "auto",
        "hovertext": [f"{wrapped(choice.label)}<br>probability {choice.probability:.4%}" for choice in top],
        "hoverinfo": "text",
    }
    return figure(
        [bars],
        title=f"{shortened(prediction.label)}, confidence {percent(prediction.probability)}",
        x=share_axis("probability"),
        y=axis(
            "",
            range=[len(top) - 0.5, -0.5],
            tickvals=rows,
            ticktext=[shortened(choice.label) for choice in top],
            showgrid=False,
        ),
        height=BARS_MARGIN + BAR_HEIGHT * len(top),
    )
