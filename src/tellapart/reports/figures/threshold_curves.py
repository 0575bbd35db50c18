"""ROC and precision-recall curves: one class against the rest, at every threshold."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.evaluation import Evaluation
from tellapart.judging.intervals import Estimate
from tellapart.judging.thresholds import precision_recall_points, roc_points
from tellapart.reports.figures.theme import (
    Figure,
    Part,
    empty_figure,
    figure,
    line_style,
    reference_line,
    share_axis,
    shortened,
    with_interval,
    wrapped,
)

MAX_LINES, MAX_WORST = 10, 3  # of more classes than lines the mean and the worst are drawn
MAX_POINTS = 250  # of a line: a screen resolves no more
GRID = np.linspace(0, 1, 501)
HEIGHT, LEGEND_ROW = 400, 10  # pixels; a row of the legend takes more, but on a wide screen holds several lines

Floats = NDArray[np.float64]
Line = tuple[Floats, Floats]
"""x, ascending, and y: float64 (m,) each, in [0, 1]."""


@dataclass(frozen=True)
class CurveKind:
    """A kind of curve. `trace` takes labels, bool (n,), and scores (n,); `interpolate` reads a line at x."""

    name: str
    area: str
    shape: str
    trace: Callable[[NDArray[np.bool_], NDArray[np.floating]], Line | None]
    interpolate: Callable[[Floats, Floats, Floats], Floats]


@dataclass(frozen=True)
class Curve:
    """The curve of a class, or the mean over classes, and the area under it."""

    name: str
    line: Line
    area: Estimate

    @property
    def hover(self) -> str:
        """The hover label, above the coordinates."""
        return f"{wrapped(self.name)}<br>area {with_interval(self.area)}"


def roc(evaluation: Evaluation) -> Figure:
    """Draw the true positive rate over the false positive rate of each class against the rest.

    Of two classes only the second, the positive, is drawn; of more than 10 the mean and the three worst.
    """
    chance = reference_line([0, 1], [0, 1], "guessing")
    return _figure(evaluation, ROC, chance, "false positive rate", "true positive rate (recall)")


def precision_recall(evaluation: Evaluation) -> Figure:
    """Draw precision over recall of each class against the rest; of the same classes as `roc`."""
    positive = float(np.mean(evaluation.labels == 1)) if len(evaluation.classes) == 2 else None
    chance = reference_line([0, 1], [positive, positive], "guessing")
    return _figure(evaluation, PRECISION_RECALL, chance, "recall", "precision")


def _figure(evaluation: Evaluation, kind: CurveKind, chance: Part, x: str, y: str) -> Figure:
    curves = _curves(evaluation, kind)
    if not curves:
        return empty_figure(kind.name, "undefined: the images are all of one class")
    shown = curves if len(curves) <= MAX_LINES else _summary(evaluation, kind, curves)
    return figure(
        [chance, *(_trace(curve, number, kind.shape) for number, curve in enumerate(shown))],
        title=_title(evaluation, kind, curves),
        x=share_axis(x, percent=False),
        y=share_axis(y, percent=False),
        height=HEIGHT + LEGEND_ROW * len(shown),
    )


def _curves(evaluation: Evaluation, kind: CurveKind) -> list[Curve]:
    """Trace the curve of each class that is defined; of two classes only the positive one."""
    first = 1 if len(evaluation.classes) == 2 else 0
    curves = []
    for index, scores in enumerate(evaluation.per_class[first:], start=first):
        line = kind.trace(evaluation.labels == index, evaluation.probs[:, index])
        area: Estimate | None = getattr(scores, kind.area)
        if line is not None and area is not None:
            curves.append(Curve(scores.name, line, area))
    return curves


def _summary(evaluation: Evaluation, kind: CurveKind, curves: list[Curve]) -> list[Curve]:
    mean = np.mean([kind.interpolate(GRID, *curve.line) for curve in curves], axis=0)
    area: Estimate = getattr(evaluation, kind.area)
    worst = sorted(curves, key=lambda curve: curve.area.value)[:MAX_WORST]
    return [Curve(f"mean of {len(curves)}", (GRID, mean), area), *worst]


def _title(evaluation: Evaluation, kind: CurveKind, curves: list[Curve]) -> str:
    if len(evaluation.classes) == 2:
        return f"{kind.name} of {shortened(curves[0].name)}: {curves[0].area.value:.3f}"
    area: Estimate = getattr(evaluation, kind.area)
    return f"{kind.name}: {area.value:.3f}, mean of {len(curves)} classes"


def _trace(curve: Curve, number: int, shape: str) -> Part:
    x, y = _thinned(*curve.line)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{shortened(curve.name)} {curve.area.value:.3f}",
        "x": x.round(4).tolist(),
        "y": y.round(4).tolist(),
        "line": line_style(number) | {"shape": shape},
        "hovertemplate": f"{curve.hover}<br>%{{xaxis.title.text}} %{{x:.3f}}<br>%{{yaxis.title.text}} %{{y:.3f}}"
        "<extra></extra>",
    }


def _thinned(x: Floats, y: Floats) -> Line:
    """Keep the points where a line bends, at most `MAX_POINTS`, evenly spaced along it; both ends stay."""
    bends = np.diff(x[:-1]) * np.diff(y[1:]) != np.diff(y[:-1]) * np.diff(x[1:])
    x, y = (values[np.concatenate([[True], bends, [True]])] for values in (x, y))
    if len(x) <= MAX_POINTS:
        return x, y
    along = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], MAX_POINTS)).clip(max=len(x) - 1))
    return x[kept], y[kept]


def _roc_line(labels: NDArray[np.bool_], scores: NDArray[np.floating]) -> Line | None:
    points = roc_points(labels, scores)
    return None if points is None else (points.false_positive_rate, points.true_positive_rate)


def _precision_recall_line(labels: NDArray[np.bool_], scores: NDArray[np.floating]) -> Line | None:
    points = precision_recall_points(labels, scores)
    if points is None:
        return None
    # Where recall stays the same at a lower threshold, only the first point adds to the area.
    recall, first = np.unique(points.recall[::-1], return_index=True)
    return recall, points.precision[::-1][first]


def _step_interpolate(grid: Floats, x: Floats, y: Floats) -> Floats:
    """Interpolate in steps, as average precision does: between two points the height is that of the right one."""
    heights: Floats = y[np.searchsorted(x, grid).clip(max=len(x) - 1)]
    return heights


ROC = CurveKind("ROC-AUC", "roc_auc", "linear", _roc_line, np.interp)
PRECISION_RECALL = CurveKind("PR-AUC", "pr_auc", "vh", _precision_recall_line, _step_interpolate)
