"""Scores as dots on bars that are their 95 % intervals."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from tellapart.judging.intervals import Estimate
from tellapart.judging.judge import Evaluation
from tellapart.judging.per_class import ClassScores
from tellapart.reports.figures.theme import (
    BLUE,
    GREEN,
    ORANGE,
    Figure,
    Part,
    axis,
    empty,
    figure,
    interval_bars,
    share_axis,
    tenth_below,
)
from tellapart.reports.figures.words import images, short, whole, with_interval

MOST_CLASSES = 30
ROW_HEIGHT, AROUND = 36, 130  # pixels: of a row, and of what is above and below all rows
Read = Callable[[ClassScores], Estimate | None]
SCORES: Mapping[str, tuple[Read, str, str, float]] = {
    "F1": (lambda one: one.f1, BLUE, "circle", 0.0),
    "precision": (lambda one: one.precision, ORANGE, "triangle-up", -0.24),
    "recall": (lambda one: one.recall, GREEN, "square", 0.24),
}
"""A score of a class: how it is read, its colour and sign, and by how many rows it stands below the middle."""


def per_class(evaluation: Evaluation) -> Figure:
    """Draw F1, precision and recall of each class with intervals, the worst F1 on top; of many classes the worst."""
    scored = [one for one in evaluation.per_class if _estimates(one)]
    if not scored:
        return empty("Scores by class", "no class has a score")
    scored.sort(key=lambda one: one.f1.value if one.f1 else 0.0)
    shown = scored[:MOST_CLASSES]
    low = min(estimate.low for one in shown for estimate in _estimates(one))
    return figure(
        [_dots(name, shown) for name in SCORES],
        title=_title(len(evaluation.classes), len(scored)),
        x=share_axis("score, 1 is perfect", low=tenth_below(low), percent=False),
        y=_rows([f"{short(one.name)} ({one.n:,})" for one in shown]),
        height=AROUND + ROW_HEIGHT * len(shown),
    )


def comparison(accuracies: Mapping[str, Estimate]) -> Figure:
    """Draw the accuracies of several models or baselines, judged on the same images, the best on top."""
    ranked = sorted(accuracies.items(), key=lambda item: item[1].value, reverse=True)
    if not ranked:
        return empty("Accuracies", "there is no model to compare")
    rows = [
        (place, estimate, f"{whole(name)}<br>accuracy {with_interval(estimate, percent=True)}")
        for place, (name, estimate) in enumerate(ranked)
    ]
    low = min(estimate.low for estimate in accuracies.values())
    return figure(
        [_scatter(rows, BLUE) | {"showlegend": False}],
        title=f"Best of {len(ranked)}: {ranked[0][1].value:.1%} right",
        x=share_axis("accuracy (95 % interval)", low=tenth_below(low)),
        y=_rows([short(name) for name, _ in ranked]),
        height=AROUND + ROW_HEIGHT * len(ranked),
    )


def _estimates(scores: ClassScores) -> list[Estimate]:
    return [estimate for read, *_ in SCORES.values() if (estimate := read(scores))]


def _title(classes: int, scored: int) -> str:
    if scored > MOST_CLASSES:
        return f"The {MOST_CLASSES} worst of {classes:,} classes"
    return f"{classes} classes, the worst first" if scored == classes else f"{scored} of {classes} classes have scores"


def _rows(names: Sequence[str]) -> Part:
    """An axis with a name in each row, the first on top."""
    ticks = {"tickvals": list(range(len(names))), "ticktext": list(names)}
    return axis("", range=[len(names) - 0.5, -0.5], **ticks)


def _dots(score: str, shown: Sequence[ClassScores]) -> Part:
    read, colour, sign, below = SCORES[score]
    rows = [
        (
            place + below,
            estimate,
            f"{whole(one.name)}, {images(one.n)}<br>{score} {with_interval(estimate)}",
        )
        for place, one in enumerate(shown)
        if (estimate := read(one))
    ]
    return _scatter(rows, colour, sign) | {"name": score}


def _scatter(rows: Iterable[tuple[float, Estimate, str]], colour: str, sign: str = "circle") -> Part:
    """Dots at (row, estimate, what a pointer is told)."""
    places, estimates, hovers = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), ())
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [one.value for one in estimates],
        "y": list(places),
        "error_x": interval_bars(estimates),
        "marker": {"color": colour, "symbol": sign, "size": 9},
        "hovertext": list(hovers),
        "hoverinfo": "text",
    }
