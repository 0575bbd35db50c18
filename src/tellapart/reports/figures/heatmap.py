"""The confusion matrix as a heat map: blue where the answers are right, red where they are not."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.judge import Evaluation
from tellapart.reports.figures.theme import INK, Figure, Part, axis, figure
from tellapart.reports.figures.words import images, short, whole

MOST_WITH_TEXT = 25  # with more classes the numbers would be too small to read
ROWS_HEIGHT, ROW_HEIGHT = 1100, 32  # pixels: at most of all rows together, and of each
AROUND = 130  # pixels for the title and the names below
PALEST = 0.2  # of the colour, so that a single mistake is seen
SCALE = [[0, "#f09a62"], [0.5, "#ffffff"], [1, "#62aadd"]]  # red and blue, pale enough for dark numbers on them


def confusion(evaluation: Evaluation, *, normalised: bool = False) -> Figure:
    """Draw how many images of each true class (row) were taken for which class (column).

    `normalised` writes percent of the true class instead of counts. Each cell with images has the indices of its
    classes, [true, predicted], as `customdata`, so that a click on it can open them.
    """
    right = int(np.trace(evaluation.confusion))
    title = f"{right:,} of {images(evaluation.n)} right"
    return figure(
        [_cells(evaluation, normalised)],
        title=f"{title}; % of each class" if normalised else title,
        x=_names(evaluation.classes, "predicted class"),
        y=_names(evaluation.classes, "true class") | {"autorange": "reversed"},
        height=AROUND + min(ROWS_HEIGHT, ROW_HEIGHT * max(len(evaluation.classes), 5)),
    )


def _names(classes: tuple[str, ...], title: str) -> Part:
    """An axis with a class at each index. Plotly writes as many of the names as there is room for."""
    size = 12 if len(classes) <= 12 else 10 if len(classes) <= MOST_WITH_TEXT else 8
    labels = {str(index): short(name) for index, name in enumerate(classes)}
    return axis(title, type="category", labelalias=labels, tickfont={"size": size}, showgrid=False)


def _cells(evaluation: Evaluation, normalised: bool) -> Part:
    counts = evaluation.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colours = _colours(shares)
    names = [whole(name) for name in evaluation.classes]
    cells = _look(len(counts)) | {
        "z": _each(counts, lambda i, j: float(colours[i, j])),
        "customdata": _each(counts, lambda i, j: [i, j]),
        "hovertext": _each(counts, lambda i, j: _hover(names[i], names[j], int(counts[i, j]), shares[i, j])),
    }
    if len(counts) > MOST_WITH_TEXT:
        return cells
    texts = _each(counts, lambda i, j: f"{100 * shares[i, j]:.0f}" if normalised else f"{counts[i, j]}", "")
    return cells | {"text": texts, "texttemplate": "%{text}", "textfont": {"color": INK}, "xgap": 1, "ygap": 1}


def _look(classes: int) -> Part:
    indices = [str(index) for index in range(classes)]
    return {
        "type": "heatmap",
        "x": indices,
        "y": indices,
        "zmin": -1,
        "zmax": 1,
        "colorscale": SCALE,
        "showscale": False,
        "hoverongaps": False,
        "hoverinfo": "text",
    }


def _each(counts: NDArray[np.int64], fact: Callable[[int, int], object], absent: object = None) -> list[list[object]]:
    """A fact for each cell that has images."""
    return [[fact(i, j) if n else absent for j, n in enumerate(row)] for i, row in enumerate(counts)]


def _colours(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where each cell is on the scale from red, -1, to blue, 1: mistakes in relation to the worst of them."""
    right = np.diag(np.diag(shares))
    mistakes = shares - right
    scaled: NDArray[np.float64] = right - mistakes / max(mistakes.max(), np.finfo(np.float64).tiny)
    return np.round(scaled * (1 - PALEST) + np.sign(scaled) * PALEST, 3)


def _hover(true: str, predicted: str, n: int, share: float) -> str:
    found = f"{images(n)}, {share:.1%} of the class"
    if true == predicted:
        return f"{true}<br>recognised: {found}"
    return f"{true}<br>taken for {predicted}<br>{found}"
