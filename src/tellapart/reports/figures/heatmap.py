"""The confusion matrix as a heat map: correct predictions blue, mistakes red."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tellapart.judging.evaluation import Evaluation
from tellapart.reports.figures.theme import INK, Figure, Part, axis, figure, shortened, wrapped
from tellapart.text import counted, percent

MAX_CLASSES_WITH_TEXT = 25  # with more classes the numbers would be too small to read
MAX_CLASSES = 200  # of more, those with most mistakes: cells grow with the square, to 26 MB of 1,200 classes
MAX_ROWS_HEIGHT, ROW_HEIGHT = 1100, 32  # pixels: at most for all rows together, and for each
MARGIN_HEIGHT = 130  # pixels for the title and the names below
MIN_SHADE = 0.2  # of the colour, so that a single mistake is visible
SCALE = [[0, "#f09a62"], [0.5, "#ffffff"], [1, "#62aadd"]]  # red and blue, pale enough for dark numbers on them


def confusion(evaluation: Evaluation, *, normalised: bool = False) -> Figure:
    """Draw how many images of each true class (row) were predicted as which class (column).

    `normalised` writes percent of the true class instead of counts. The `customdata` of a cell that is not empty are
    the indices [true, predicted], so that a click on it can open its images. Of many classes only those with most
    mistakes have rows and columns.
    """
    shown = evaluation.cells.most_mistaken(MAX_CLASSES)
    correct = int(evaluation.cells.class_counts.correct.sum())
    title = f"{correct:,} of {counted(evaluation.n, 'image')} correct"
    if len(shown) < len(evaluation.classes):
        title += f"; the {len(shown)} of {len(evaluation.classes):,} classes with most mistakes"
    classes = tuple(evaluation.classes[index] for index in shown)
    return figure(
        [_cells(evaluation, shown, normalised)],
        title=f"{title}; % of each class" if normalised else title,
        x=_class_axis(classes, "predicted class"),
        y=_class_axis(classes, "true class") | {"autorange": "reversed"},
        height=MARGIN_HEIGHT + min(MAX_ROWS_HEIGHT, ROW_HEIGHT * max(len(classes), 5)),
    )


def _class_axis(classes: tuple[str, ...], title: str) -> Part:
    """Make an axis with a class at each index. Plotly writes as many of the names as there is room for."""
    size = 12 if len(classes) <= 12 else 10 if len(classes) <= MAX_CLASSES_WITH_TEXT else 8
    labels = {str(index): shortened(name) for index, name in enumerate(classes)}
    return axis(title, type="category", labelalias=labels, tickfont={"size": size}, showgrid=False)


def _cells(evaluation: Evaluation, shown: NDArray[np.intp], normalised: bool) -> Part:
    counts = evaluation.cells.among(shown)
    shares = counts / np.maximum(evaluation.cells.class_counts.true[shown, np.newaxis], 1)
    colours = _colours(shares)
    names = [wrapped(evaluation.classes[index]) for index in shown]
    index_of = shown.tolist()
    cells = _heatmap(len(counts)) | {
        "z": _cell_values(counts, lambda i, j: float(colours[i, j])),
        "customdata": _cell_values(counts, lambda i, j: [index_of[i], index_of[j]]),
        "hovertext": _cell_values(counts, lambda i, j: _hover(names[i], names[j], int(counts[i, j]), shares[i, j])),
    }
    if len(counts) > MAX_CLASSES_WITH_TEXT:
        return cells
    texts = _cell_values(counts, lambda i, j: percent(shares[i, j], 0)[:-1] if normalised else f"{counts[i, j]}", "")
    return cells | {"text": texts, "texttemplate": "%{text}", "textfont": {"color": INK}, "xgap": 1, "ygap": 1}


def _heatmap(classes: int) -> Part:
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


def _cell_values(
    counts: NDArray[np.int64], value: Callable[[int, int], object], absent: object = None
) -> list[list[object]]:
    """Compute a value for each cell that has images; the others have `absent`."""
    return [[value(i, j) if n else absent for j, n in enumerate(row)] for i, row in enumerate(counts)]


def _colours(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale each cell from red, -1, to blue, 1; mistakes are relative to the most common one."""
    correct = np.diag(np.diag(shares))
    mistakes = shares - correct
    scaled: NDArray[np.float64] = correct - mistakes / max(mistakes.max(), np.finfo(np.float64).tiny)
    return np.round(scaled * (1 - MIN_SHADE) + np.sign(scaled) * MIN_SHADE, 3)


def _hover(true: str, predicted: str, n: int, share: float) -> str:
    count = f"{counted(n, 'image')}, {percent(share)} of the class"
    if true == predicted:
        return f"{true}<br>correct: {count}"
    return f"{true}<br>predicted as {predicted}<br>{count}"
