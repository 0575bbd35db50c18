"""What the probabilities are worth: calibration, and what answering only when sure brings."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.calibration import ReliabilityBin, reliability_bins
from tellapart.judging.judge import Evaluation
from tellapart.judging.selective import coverage_curve, is_accepted
from tellapart.reports.figures.theme import (
    BLUE,
    COLOURS,
    GREY,
    RED,
    Figure,
    Part,
    figure,
    interval_bars,
    share_axis,
    tenth_below,
)
from tellapart.reports.figures.words import images, short, with_interval

MOST_POINTS = 300  # of the coverage curve
SMALLEST, LARGEST = 5.0, 20.0  # pixels of a bin's point, by how many images it has


def reliability(evaluations: Evaluation | Mapping[str, Evaluation]) -> Figure:
    """Draw how often answers are right over how probable they were called, of one evaluation or several by name.

    Several are of the same images, such as before and after a temperature. A point is the larger the more
    answers it stands for.
    """
    named = {"": evaluations} if isinstance(evaluations, Evaluation) else evaluations
    lines = [_bins_line(name, one, COLOURS[i % len(COLOURS)]) for i, (name, one) in enumerate(named.items())]
    errors = [f"{one.ece.value:.1%}" for one in named.values()]
    return figure(
        [_diagonal(), *lines],
        title=f"Calibration error {' → '.join(errors)}",
        x=share_axis("probability of the answers"),
        y=share_axis("share that is right"),
    )


def coverage(evaluation: Evaluation, *, threshold: float | None = None) -> Figure:
    """Draw accuracy over coverage, the share of images that are answered; with a point where a threshold is."""
    curve = coverage_curve(evaluation.labels, evaluation.probs)
    kept = np.unique(np.linspace(0, len(curve.coverage) - 1, MOST_POINTS).astype(int))
    line = {
        "type": "scatter",
        "mode": "lines+markers" if len(kept) == 1 else "lines",
        "x": curve.coverage[kept].round(5).tolist(),
        "y": curve.accuracy[kept].round(5).tolist(),
        "customdata": curve.threshold[kept].round(5).tolist(),
        "line": {"color": BLUE, "width": 2},
        "hovertemplate": "%{x:.1%} answered, %{y:.1%} of them right<br>threshold %{customdata:.3f}<extra></extra>",
        "showlegend": False,
    }
    mask = is_accepted(evaluation.probs, threshold) if threshold is not None else np.ones(evaluation.n, dtype=bool)
    right = evaluation.probs.argmax(axis=1) == evaluation.labels
    return figure(
        [line, *([_chosen(mask, right, threshold)] if threshold is not None and mask.any() else [])],
        title=_coverage_title(float(mask.mean()), float(right[mask].mean()) if mask.any() else None),
        x=share_axis("share answered (coverage)"),
        y=share_axis("share right (accuracy)", low=tenth_below(float(curve.accuracy[kept].min()))),
    )


def _bins_line(name: str, evaluation: Evaluation, colour: str) -> Part:
    bins = [one for one in reliability_bins(evaluation.labels, evaluation.probs) if one.n]
    most = max(one.n for one in bins)
    estimates = [one.accuracy for one in bins if one.accuracy]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": short(name),
        "showlegend": bool(name),
        "x": [one.confidence for one in bins],
        "y": [one.value for one in estimates],
        "error_y": interval_bars(estimates),
        "line": {"color": colour, "width": 1},
        "marker": {
            "color": colour,
            "opacity": 1,
            "size": [SMALLEST + (LARGEST - SMALLEST) * math.sqrt(one.n / most) for one in bins],
        },
        "hovertext": [_bin_hover(name, one) for one in bins],
        "hoverinfo": "text",
    }


def _bin_hover(name: str, one: ReliabilityBin) -> str:
    accuracy = with_interval(one.accuracy, percent=True) if one.accuracy else "none"
    lead = f"{short(name)}: " if name else ""
    return f"{lead}{images(one.n)}<br>probability {one.confidence:.1%}<br>right {accuracy}"


def _diagonal() -> Part:
    """Where probabilities that can be taken at their word lie."""
    line = {"color": GREY, "width": 1, "dash": "dot"}
    diagonal = {"x": [0, 1], "y": [0, 1], "line": line, "showlegend": False, "hoverinfo": "skip"}
    return {"type": "scatter", "mode": "lines"} | diagonal


def _chosen(mask: NDArray[np.bool_], right: NDArray[np.bool_], threshold: float) -> Part:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [float(mask.mean())],
        "y": [float(right[mask].mean())],
        "name": f"threshold {threshold:.3f}",
        "showlegend": True,
        "marker": {"color": RED, "size": 12},
        "hovertext": [f"threshold {threshold:.3f}<br>{int(mask.sum()):,} of {images(len(mask))} answered"],
        "hoverinfo": "text",
    }


def _coverage_title(share: float, accuracy: float | None) -> str:
    if accuracy is None:
        return "No image is answered at this threshold"
    return f"{share:.1%} answered, {accuracy:.1%} of them right"
