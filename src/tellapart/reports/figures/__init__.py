"""Plotly figures of evaluations, training and predictions, for scripts, notebooks and pages.

    >>> from tellapart.reports import figures
    >>> figures.confusion(evaluation).show(config=figures.CONFIG)

May import training and all below it; Plotly is imported when a figure is made. Names of classes and runs are drawn as
text, whatever characters they contain.
"""

from tellapart.reports.figures.calibration import coverage, reliability
from tellapart.reports.figures.dot_plots import comparison, per_class, probabilities
from tellapart.reports.figures.heatmap import confusion
from tellapart.reports.figures.learning_curves import histories, history, lr_curve
from tellapart.reports.figures.theme import CAPTIONS, CONFIG
from tellapart.reports.figures.threshold_curves import precision_recall, roc

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
