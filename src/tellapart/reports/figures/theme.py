"""The common theme of all figures: colours, fonts, axes and lines."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.errors import require
from tellapart.judging.intervals import Estimate

Figure = Any
"""A `plotly.graph_objects.Figure`; Plotly states no types, and is imported when a figure is made."""
Part = dict[str, Any]
"""A trace, an axis or another part of a figure, as Plotly's JSON."""

# Okabe and Ito 2008: distinct for any colour vision. Yellow is left out, too pale on white; grey stands in for black,
# so that it shows on a dark page too.
BLUE, RED, GREEN, PINK, ORANGE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#767676"
COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY, GREY)
DASHES = ("solid", "dash", "dot")
INK, FAINT = "#22262a", "rgba(128, 128, 128, 0.25)"
HEIGHT = 400  # pixels
CONFIG: Mapping[str, Any] = {"responsive": True, "displaylogo": False, "displayModeBar": False}
"""The configuration with which a page should show these figures."""


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
    return axis(title, range=[low - room, 1 + room], tickformat=".0%" if percent else ".1f")


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


def reference_line(x: Sequence[float], y: Sequence[float | None]) -> Part:
    """Make a dotted grey line to compare with, such as guessing or perfect calibration; it has no hover label."""
    line = {"color": GREY, "width": 1, "dash": "dot"}
    return {
        "type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "line": line, "showlegend": False,
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
