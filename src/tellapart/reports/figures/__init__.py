"""Figures as Plotly's: from Python, in a notebook, on a page.

    >>> from tellapart.reports import figures
    >>> figures.confusion(evaluation).show(config=figures.CONFIG)

May import training and all below it; Plotly is imported when a figure is made. Names of classes and runs are drawn as
text, whatever signs they hold.
"""

from tellapart.reports.figures.bars import probabilities
from tellapart.reports.figures.captions import CAPTIONS
from tellapart.reports.figures.certainty import coverage, reliability
from tellapart.reports.figures.dots import comparison, per_class
from tellapart.reports.figures.epochs import histories, history
from tellapart.reports.figures.heatmap import confusion
from tellapart.reports.figures.lr_curve import lr_curve
from tellapart.reports.figures.rates import precision_recall, roc
from tellapart.reports.figures.theme import CONFIG

__all__ = [
    "CAPTIONS",
    "CONFIG",
    "comparison",
    "confusion",
    "coverage",
    "histories",
    "history",
    "lr_curve",
    "per_class",
    "precision_recall",
    "probabilities",
    "reliability",
    "roc",
]
