"""The common theme of all figures: colours, fonts, axes and lines."""

import math
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tellapart.errors import require
from tellapart.judging.intervals import Estimate
from tellapart.reports.figures.ticks import log_ticks, share_ticks, span
from tellapart.text import JOINERS, TOO_FEW, low_to_high, value_text

ENTITIES = str.maketrans({char: f"&#{ord(char)};" for char in "&<>$%"})
"""The characters with a meaning in Plotly's texts, as entities that it draws as the characters."""
ISOLATE, END_ISOLATE = "\u2068", "\u2069"  # keep right-to-left text from reordering what is around it
MAX_SHORT = 18  # characters of a name beside an axis
LINE_WIDTH, MAX_LINES = 36, 6  # characters and lines of a name in a hover label: it fits a phone
Figure = Any
"""A `plotly.graph_objects.Figure`; Plotly states no types, and is imported when a figure is made."""
Part = dict[str, Any]
"""A trace, an axis or another part of a figure, as Plotly's JSON."""
# Okabe and Ito 2008: distinct for any colour vision. Yellow is left out, too pale on white; grey stands in for black,
# so that it shows on a dark page too.
BLUE, RED, GREEN, PINK, ORANGE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#767676"
DASHES = ("solid", "dash", "dot")
INK, FAINT = "#22262a", "rgba(128, 128, 128, 0.25)"
HEIGHT = 400  # pixels
CONFIG: Mapping[str, Any] = {"responsive": True, "displaylogo": False, "displayModeBar": False}
"""The configuration with which a page should show these figures."""
CAPTIONS: Mapping[str, str] = {
    "confusion": "Each row is a true class and each column a predicted class: correct predictions are blue and on the "
    "diagonal, mistakes are red, and the more common a mistake the stronger its colour.",
    "per_class": "Precision is how often a prediction of this class is correct, recall is how many images of the "
    "class are found, and F1 combines the two; the line through a point is its 95 % interval, and the number in "
    "brackets is how many images of the class there are.",
    "roc": "Lowering the threshold for a class finds more of its images (recall, upwards) but also more images of "
    "other classes (false positive rate, to the right): the closer a line is to the upper left corner the better, and "
    "the dotted diagonal is guessing.",
    "precision_recall": "Further to the right more images of a class are found (recall), and the height is how many of "
    "the images predicted as the class belong to it (precision): the longer a line stays high the better.",
    "reliability": "Predictions are grouped by confidence: on the dotted diagonal, of the images with 80 % confidence "
    "80 % are correct, and below it the classifier is overconfident.",
    "coverage": "Read from right to left: a classifier that declines its least confident predictions answers fewer "
    "images (coverage), and more of its answers should be correct (accuracy).",
    "history": "Accuracy should rise and loss should fall from epoch to epoch: where the validation line stops "
    "following the training line the network begins to overfit, and the dashed line marks the epoch whose weights were "
    "kept.",
    "probabilities": "A longer bar is a more probable class; the bars of all classes add up to 100 %.",
    "comparison": "A point is the accuracy of a model, and the line through it is its 95 % interval; whether a "
    "difference is more than chance is for a paired test to decide.",
    "histories": "Each colour is a run: higher accuracy and lower loss are better, with solid lines for validation "
    "images and dotted lines for training images where a run has no validation images.",
    "lr_curve": "The loss while the learning rate grows from batch to batch: a good rate is where the smoothed line "
    "falls steeply, well below the rate at which it rises again.",
}


def plotly_safe(name: str) -> str:
    """Escape a name so that Plotly draws it as it is; characters that do not print become spaces."""
    visible = "".join(char if char.isprintable() or char in JOINERS else " " for char in name).strip()
    right_to_left = any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in visible)
    escaped = visible.translate(ENTITIES)
    return f"{ISOLATE}{escaped}{END_ISOLATE}" if right_to_left else escaped


def shortened(name: str, most: int = MAX_SHORT) -> str:
    """Shorten a name to `most` characters; both ends of a long one are kept, since names often share a beginning."""
    if len(name) <= most:
        return plotly_safe(name)
    end = (most - 1) // 3
    return plotly_safe(f"{name[: most - 1 - end]}…{name[-end:]}")


def wrapped(name: str) -> str:
    """Wrap a name into lines that fit a phone; beyond 200 characters its middle is left out."""
    lines = textwrap.wrap(name if len(name) <= LINE_WIDTH * MAX_LINES else f"{name[:150]} … {name[-50:]}", LINE_WIDTH)
    return "<br>".join(map(plotly_safe, lines))


def finite(value: float | None) -> float | None:
    """Return a number, or None where it is not finite, such as a diverged loss: JSON has no NaN."""
    return float(value) if value is not None and math.isfinite(value) else None


def with_interval(estimate: Estimate, *, percent: bool = False) -> str:
    """Format an estimate as `0.853 (95 % interval 0.801 to 0.902)`, or in percent."""
    form = ".1%" if percent else ".3f"
    interval = low_to_high(estimate.low, estimate.high, form)
    return f"{value_text(estimate.value, form)} ({'' if interval == TOO_FEW else '95 % interval '}{interval})"


LOG_SCALE_RATIO = 20.0
COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY, GREY)


def figure(data: Sequence[Part], *, title: str, x: Part, y: Part, height: int = HEIGHT, **more: object) -> Figure:
    """Make a figure of traces and axes in the common theme; `title` is short, and already safe to draw."""
    graphs = require("plotly.graph_objects", extra="train")
    return graphs.Figure(data=list(data), layout=_layout(title, height) | {"xaxis": x, "yaxis": y} | more)


def empty_figure(title: str, reason: str) -> Figure:
    """Make a figure that states why it has nothing to show."""
    hidden = {"visible": False, "fixedrange": True}
    note = {"text": reason, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    return figure([], title=title, x=hidden, y=hidden, height=160, annotations=[note])


def axis(title: str, **more: object) -> Part:
    """Make an axis that makes room for its own labels."""
    return {
        "title": {"text": title, "standoff": 8},
        "automargin": True,
        "gridcolor": FAINT,
        "linecolor": FAINT,
        "zeroline": False,
        "fixedrange": True,  # so that a finger on a phone scrolls the page and does not zoom the figure
    } | more


def share_axis(title: str, *, low: float = 0.0, percent: bool = True) -> Part:
    """Make an axis of shares from `low` to 1, with room for a point at either end."""
    room = (1 - low) * 0.03
    return axis(title, range=[low - room, 1 + room], **share_ticks(low, 1.0, percent=percent))


def accuracy_axis(title: str, values: Iterable[float | None], **more: object) -> Part:
    """Make an axis of shares in percent that the values fill."""
    low, high = span(values, least=0.0, most=1.0)
    return axis(title, range=[low, high], **share_ticks(low, high, percent=True), **more)


def loss_axis(title: str, values: Iterable[float | None], **more: object) -> Part:
    """Make an axis from 0, or a logarithmic one where the values differ by a factor of more than `LOG_SCALE_RATIO`."""
    positive = [value for value in values if value is not None and value > 0]
    if positive and max(positive) > LOG_SCALE_RATIO * min(positive):
        return axis(f"{title}, logarithmic", **log_ticks(positive), **more)
    return axis(title, rangemode="tozero", **more)


def round_down_to_tenth(share: float) -> float:
    """Round a share down to a tenth, at most 0.9: the start of an axis whose values fill their frame."""
    return min(math.floor(share * 10) / 10, 0.9)


def interval_bars(estimates: Sequence[Estimate]) -> Part:
    """Make error bars around the estimates' values, from their low to their high ends."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [estimate.high - estimate.value for estimate in estimates],
        "arrayminus": [estimate.value - estimate.low for estimate in estimates],
        "thickness": 1.5,
        "width": 0,
    }


def line_style(number: int) -> Part:
    """Return the style of the line of that number: a colour, and another dash each time the colours repeat."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "dash": DASHES[number // len(COLOURS) % len(DASHES)],
        "width": 2,
    }


def reference_line(x: Sequence[float], y: Sequence[float | None], name: str) -> Part:
    """Make a dotted grey line to compare with, such as guessing or perfect calibration; it has no hover label."""
    return legend_line(name, {"color": GREY, "width": 1, "dash": "dot"}) | {"x": list(x), "y": list(y)}


def legend_line(name: str, style: Part) -> Part:
    """Make an entry of the legend that explains a style of lines; it draws nothing."""
    return {
        "type": "scatter", "mode": "lines", "x": [None], "y": [None], "name": name, "line": style, "showlegend": True,
        "hoverinfo": "skip",
    }  # fmt: skip


def _layout(title: str, height: int) -> Part:
    return {
        "template": "none",
        "title": {
            "text": title, "x": 0, "xref": "container", "xanchor": "left", "pad": {"l": 8, "t": 8},
            "y": 1, "yref": "container", "yanchor": "top", "font": {"size": 15}, "automargin": True,
        },
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif", "size": 12,
                 "color": INK},
        "height": height,
        "autosize": True,
        "margin": {"l": 8, "r": 12, "t": 40, "b": 8},
        "paper_bgcolor": "#fff",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "namelength": -1},
        "dragmode": False,
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yref": "container", "yanchor": "bottom"},
    }  # fmt: skip
