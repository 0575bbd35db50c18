"""Figures of confidence: a reliability diagram, and accuracy over coverage with a reject option."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.calibration import ReliabilityBin, reliability_bins
from tellapart.judging.evaluation import Evaluation
from tellapart.judging.selective import coverage_curve, is_accepted
from tellapart.reports.figures.theme import (
    BLUE,
    COLOURS,
    RED,
    Figure,
    Part,
    figure,
    interval_bars,
    reference_line,
    round_down_to_tenth,
    share_axis,
    shortened,
    with_interval,
)
from tellapart.text import counted, percent

MAX_POINTS = 300  # of the coverage curve
MIN_MARKER, MAX_MARKER = 5.0, 20.0  # pixels of a bin's point, by its number of images


def reliability(evaluations: Evaluation | Mapping[str, Evaluation]) -> Figure:
    """Draw accuracy over confidence, of one evaluation or of several by name.

    Several are of the same images, such as before and after temperature scaling. The area of a point grows with the
    number of images in its bin.
    """
    named = {"": evaluations} if isinstance(evaluations, Evaluation) else evaluations
    lines = [_bins_line(name, named[name], COLOURS[i % len(COLOURS)]) for i, name in enumerate(named)]
    errors = [percent(evaluation.ece.value) for evaluation in named.values()]
    return figure(
        [reference_line([0, 1], [0, 1], "perfect"), *lines],
        title=f"Calibration error {' → '.join(errors)}",
        x=share_axis("confidence"),
        y=share_axis("accuracy"),
    )


def coverage(evaluation: Evaluation, *, threshold: float | None = None) -> Figure:
    """Draw accuracy over coverage, the share of images that are answered; a point marks a given `threshold`."""
    curve = coverage_curve(evaluation.labels, evaluation.probs)
    kept = np.unique(np.linspace(0, len(curve.coverage) - 1, MAX_POINTS).astype(int))
    line = {
        "type": "scatter",
        "mode": "lines+markers" if len(kept) == 1 else "lines",
        "x": curve.coverage[kept].round(5).tolist(),
        "y": curve.accuracy[kept].round(5).tolist(),
        "customdata": curve.threshold[kept].round(5).tolist(),
        "line": {"color": BLUE, "width": 2},
        "hovertemplate": "%{x:.1%} answered, %{y:.1%} of them correct<br>threshold %{customdata:.3f}<extra></extra>",
        "showlegend": False,
    }
    mask = is_accepted(evaluation.probs, threshold) if threshold is not None else np.ones(evaluation.n, dtype=bool)
    correct = evaluation.probs.argmax(axis=1) == evaluation.labels
    return figure(
        [line, *([_threshold_point(mask, correct, threshold)] if threshold is not None and mask.any() else [])],
        title=_coverage_title(float(mask.mean()), float(correct[mask].mean()) if mask.any() else None),
        x=share_axis("coverage (share answered)"),
        y=share_axis("accuracy", low=round_down_to_tenth(float(curve.accuracy[kept].min()))),
    )


def _bins_line(name: str, evaluation: Evaluation, colour: str) -> Part:
    bins = [
        group for group in reliability_bins(evaluation.labels, evaluation.probs, groups=evaluation.groups) if group.n
    ]
    largest = max(group.n for group in bins)
    estimates = [group.accuracy for group in bins if group.accuracy]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": shortened(name),
        "showlegend": bool(name),
        "x": [group.confidence for group in bins],
        "y": [estimate.value for estimate in estimates],
        "error_y": interval_bars(estimates),
        "line": {"color": colour, "width": 1},
        "marker": {
            "color": colour,
            "opacity": 1,
            "size": [MIN_MARKER + (MAX_MARKER - MIN_MARKER) * math.sqrt(group.n / largest) for group in bins],
        },
        "hovertext": [_bin_hover(name, group) for group in bins],
        "hoverinfo": "text",
    }


def _bin_hover(name: str, group: ReliabilityBin) -> str:
    accuracy = with_interval(group.accuracy, percent=True) if group.accuracy else "none"
    lead = f"{shortened(name)}: " if name else ""
    return f"{lead}{counted(group.n, 'image')}<br>confidence {group.confidence:.1%}<br>accuracy {accuracy}"


def _threshold_point(mask: NDArray[np.bool_], correct: NDArray[np.bool_], threshold: float) -> Part:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [float(mask.mean())],
        "y": [float(correct[mask].mean())],
        "name": f"threshold {threshold:.3f}",
        "showlegend": True,
        "marker": {"color": RED, "size": 12},
        "hovertext": [f"threshold {threshold:.3f}<br>{int(mask.sum()):,} of {counted(len(mask), 'image')} answered"],
        "hoverinfo": "text",
    }


def _coverage_title(share: float, accuracy: float | None) -> str:
    if accuracy is None:
        return "No image is answered at this threshold"
    return f"{percent(share)} answered, {percent(accuracy)} of them correct"
