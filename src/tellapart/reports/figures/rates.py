"""ROC and precision-recall curves: one class against the rest, at every threshold."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.intervals import Estimate
from tellapart.judging.judge import Evaluation
from tellapart.judging.thresholds import precision_recall_points, roc_points
from tellapart.reports.figures.theme import GREY, Figure, Part, empty, figure, line_style, share_axis
from tellapart.reports.figures.words import short, whole, with_interval

MOST_LINES, WORST = 10, 3  # with more classes than lines: their mean and so many of the worst
MOST_POINTS = 250  # of a line: more than a screen tells apart
GRID = np.linspace(0, 1, 501)
HEIGHT, LEGEND_ROW = 400, 10  # pixels; a row of the legend takes more, but on a wide screen holds several lines

Floats = NDArray[np.float64]
Line = tuple[Floats, Floats]
"""x, ascending, and y: float64 (m,) each, in [0, 1]."""


@dataclass(frozen=True)
class Kind:
    """What sets the two figures apart. `trace` takes labels, bool (n,), and scores; `between` reads a line at x."""

    name: str
    area: str
    shape: str
    trace: Callable[[NDArray[np.bool_], NDArray[np.floating]], Line | None]
    between: Callable[[Floats, Floats, Floats], Floats]


@dataclass(frozen=True)
class Curve:
    """The line of a class, or the mean of all, and the area below it."""

    name: str
    line: Line
    area: Estimate

    @property
    def hover(self) -> str:
        """What a pointer on the line is told, beside the place."""
        return f"{whole(self.name)}<br>area {with_interval(self.area)}"


def roc(evaluation: Evaluation) -> Figure:
    """Draw the true positive rate over the false positive rate of each class against the rest.

    With two classes the second one's, the positive; with more than 10 the mean of all and the three worst.
    """
    chance = _reference([0, 1], [0, 1])
    return _figure(evaluation, ROC, chance, "false positive rate", "true positive rate (recall)")


def precision_recall(evaluation: Evaluation) -> Figure:
    """Draw precision over recall of each class against the rest; the classes as `roc` chooses them."""
    positive = float(np.mean(evaluation.labels == 1)) if len(evaluation.classes) == 2 else None
    chance = _reference([0, 1], [positive, positive])
    return _figure(evaluation, PRECISION_RECALL, chance, "recall", "precision")


def _figure(evaluation: Evaluation, kind: Kind, chance: Part, x: str, y: str) -> Figure:
    curves = _curves(evaluation, kind)
    if not curves:
        return empty(kind.name, "undefined: the images are all of one class")
    shown = curves if len(curves) <= MOST_LINES else _summary(evaluation, kind, curves)
    return figure(
        [chance, *(_line(curve, number, kind.shape) for number, curve in enumerate(shown))],
        title=_title(evaluation, kind, curves),
        x=share_axis(x, percent=False),
        y=share_axis(y, percent=False),
        height=HEIGHT + LEGEND_ROW * len(shown),
    )


def _curves(evaluation: Evaluation, kind: Kind) -> list[Curve]:
    """Of all classes that have images among others; of two classes the positive one."""
    first = 1 if len(evaluation.classes) == 2 else 0
    found = []
    for index, scores in enumerate(evaluation.per_class[first:], start=first):
        line = kind.trace(evaluation.labels == index, evaluation.probs[:, index])
        area: Estimate | None = getattr(scores, kind.area)
        if line is not None and area is not None:
            found.append(Curve(scores.name, line, area))
    return found


def _summary(evaluation: Evaluation, kind: Kind, curves: list[Curve]) -> list[Curve]:
    mean = np.mean([kind.between(GRID, *curve.line) for curve in curves], axis=0)
    area: Estimate = getattr(evaluation, kind.area)
    worst = sorted(curves, key=lambda curve: curve.area.value)[:WORST]
    return [Curve(f"mean of {len(curves)}", (GRID, mean), area), *worst]


def _title(evaluation: Evaluation, kind: Kind, curves: list[Curve]) -> str:
    if len(evaluation.classes) == 2:
        return f"{kind.name} of {short(curves[0].name)}: {curves[0].area.value:.3f}"
    area: Estimate = getattr(evaluation, kind.area)
    return f"{kind.name}: {area.value:.3f}, mean of {len(curves)} classes"


def _line(curve: Curve, number: int, shape: str) -> Part:
    x, y = _thinned(*curve.line)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{short(curve.name)} {curve.area.value:.3f}",
        "x": x.round(4).tolist(),
        "y": y.round(4).tolist(),
        "line": line_style(number) | {"shape": shape},
        "hovertemplate": f"{curve.hover}<br>%{{xaxis.title.text}} %{{x:.3f}}<br>%{{yaxis.title.text}} %{{y:.3f}}"
        "<extra></extra>",
    }


def _reference(x: list[float], y: list[float | None]) -> Part:
    """What guessing gives."""
    line = {"color": GREY, "width": 1, "dash": "dot"}
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": line, "showlegend": False, "hoverinfo": "skip"}


def _thinned(x: Floats, y: Floats) -> Line:
    """Those points of a line where it turns, at most `MOST_POINTS`, equally far apart along it; both ends stay."""
    turns = np.diff(x[:-1]) * np.diff(y[1:]) != np.diff(y[:-1]) * np.diff(x[1:])
    x, y = (values[np.concatenate([[True], turns, [True]])] for values in (x, y))
    if len(x) <= MOST_POINTS:
        return x, y
    along = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], MOST_POINTS)).clip(max=len(x) - 1))
    return x[kept], y[kept]


def _roc_line(labels: NDArray[np.bool_], scores: NDArray[np.floating]) -> Line | None:
    points = roc_points(labels, scores)
    return None if points is None else (points.false_positive_rate, points.true_positive_rate)


def _precision_recall_line(labels: NDArray[np.bool_], scores: NDArray[np.floating]) -> Line | None:
    points = precision_recall_points(labels, scores)
    if points is None:
        return None
    # Where more images are taken and none of the class is among them, only the first point counts for the area.
    recall, first = np.unique(points.recall[::-1], return_index=True)
    return recall, points.precision[::-1][first]


def _held(grid: Floats, x: Floats, y: Floats) -> Floats:
    """Read a line of steps, whose height from a point back to the one before is its own, as average precision is."""
    heights: Floats = y[np.searchsorted(x, grid).clip(max=len(x) - 1)]
    return heights


ROC = Kind("ROC-AUC", "roc_auc", "linear", _roc_line, np.interp)
PRECISION_RECALL = Kind("PR-AUC", "pr_auc", "vh", _precision_recall_line, _held)
