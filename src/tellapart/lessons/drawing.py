"""Figures of lessons: lines, bars and images, in the theme of all figures."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.reports.figures.theme import GREY, Figure, Part, axis, figure, line_style, plotly_safe
from tellapart.reports.figures.ticks import log_ticks, share_ticks, span
from tellapart.reports.report import Drawing

Numbers = Sequence[float] | NDArray[Any]
PERCENT: Mapping[str, Any] = {"tickformat": ".0%"}
"""Axis options for shares."""
ROW, MARGIN = 30, 110  # pixels of a bar, and of everything above and below the bars
IMAGES_WIDTH = 330  # pixels of a row of images


def drawing(title: str, caption: str, drawn: Figure) -> Drawing:
    """Make a drawing: a figure with a title and a caption that says how to read it."""
    return Drawing(title, caption, drawn)


def lines(
    title: str, x: tuple[str, Numbers], y: str, of: Mapping[str, Numbers], *, across: Part | None = None, **up: object
) -> Figure:
    """Draw lines over a common x; `across` and `up` are further Plotly options of the x and y axes."""
    traces = [_line(name, number, x[1], values) for number, (name, values) in enumerate(of.items())]
    return figure(traces, title=plotly_safe(title), x=_axis(x[0], x[1], across or {}), y=_axis(y, _all(of), up))


def _axis(title: str, values: Numbers, options: Mapping[str, Any]) -> Part:
    """Make an axis of these values, with ticks that differ where it is of shares or logarithmic."""
    shown = [float(value) for value in values if math.isfinite(value)]
    if options.get("type") == "log" and "tickvals" not in options and any(value > 0 for value in shown):
        return axis(title, **{**options, **log_ticks([value for value in shown if value > 0])})
    if options.get("tickformat") == PERCENT["tickformat"]:
        low, high = options.get("range") or span(shown)
        return axis(title, **{**options, "range": [low, high], **share_ticks(low, high, percent=True)})
    return axis(title, **options)


def _all(of: Mapping[str, Numbers]) -> list[float]:
    return [float(value) for values in of.values() for value in values]


def bars(title: str, x: str, names: Sequence[str], of: Mapping[str, Numbers], *, form: str, **across: object) -> Figure:
    """Draw horizontal bars, a group for each name, the first on top; `form` formats the numbers."""
    rows = list(range(len(names)))
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "x": [float(value) for value in values],
            "y": rows,
            "marker": {"color": line_style(number)["color"]},
            "text": [f"{value:{form}}" for value in values],
            "textposition": "auto",
            "hovertemplate": f"%{{text}}<extra>{name}</extra>",
            "showlegend": len(of) > 1,
        }
        for number, (name, values) in enumerate(of.items())
    ]
    ticks = {"tickvals": rows, "ticktext": [plotly_safe(name) for name in names]}
    return figure(
        traces,
        title=plotly_safe(title),
        x=axis(x, **across),
        y=axis("", range=[len(names) - 0.5, -0.5], showgrid=False, **ticks),
        height=MARGIN + ROW * len(names) * len(of),
        barmode="group",
    )


def square(title: str, values: NDArray[Any], *, written: bool = False, height: int = 360) -> Figure:
    """Draw an image, (height, width), by its values: white is the largest; `written` prints them in the cells."""
    cells: Part = {
        "type": "heatmap",
        "z": np.round(values, 3).tolist(),
        "colorscale": [[0, "#1b1d20"], [1, "#ffffff"]],
        "showscale": False,
        "hovertemplate": "row %{y}, column %{x}: %{z}<extra></extra>",
    }
    if written:
        cells |= {"texttemplate": "%{z}", "textfont": {"size": 11}}
    bare: Part = {"showgrid": False, "showticklabels": written, "ticks": "", "dtick": 1, "constrain": "domain"}
    return figure(
        [cells],
        title=plotly_safe(title),
        x=axis("column" if written else "", **bare),
        y=axis("row" if written else "", autorange="reversed", scaleanchor="x", constraintoward="top", **bare),
        height=height,
    )


def marked(drawn: Figure, places: Mapping[str, float]) -> Figure:
    """Mark positions on the x-axis with labelled dashed lines."""
    # On a logarithmic axis Plotly places lines at values, and annotations at their logarithms.
    at = math.log10 if drawn.layout.xaxis.type == "log" else float
    for number, (name, place) in enumerate(places.items()):
        drawn.add_vline(x=place, line={"color": GREY, "width": 1, "dash": "dash"})
        word = {"x": at(place), "y": 1 - 0.09 * number, "yref": "paper", "xanchor": "left", "yanchor": "top"}
        drawn.add_annotation(text=plotly_safe(name), showarrow=False, xshift=4, **word)
    return drawn


def image_rows(title: str, rows: Mapping[str, NDArray[Any]]) -> Figure:
    """Draw rows of images of one size, each with a name; shorter rows are padded.

    A row is (n, height, width) in grey, white its maximum, or uint8 (n, height, width, 1 or 3).
    """
    most = max(map(len, rows.values()))
    strips = [_strip(_in_colour(images), most) for images in rows.values()]
    tall = len(strips[0])
    middles = [number * tall + (tall - 1) / 2 for number in range(len(strips))]
    bare: Part = {"showgrid": False, "ticks": "", "constrain": "domain"}
    names = {"tickmode": "array", "tickvals": middles, "ticktext": [plotly_safe(name) for name in rows]}
    return figure(
        [{"type": "image", "z": np.vstack(strips).tolist(), "hoverinfo": "skip"}],
        title=plotly_safe(title),
        x=axis("", showticklabels=False, **bare),
        y=axis("", scaleanchor="x", constraintoward="top", **names, **bare),
        height=MARGIN // 2 + len(strips) * IMAGES_WIDTH // most,
    )


def _in_colour(images: NDArray[Any]) -> NDArray[np.uint8]:
    if images.ndim == 3:
        greatest = max(float(images.max(initial=0)), 1e-9)
        images = np.round(images * (255 / greatest)).astype(np.uint8)[..., None]
    return np.broadcast_to(images, (*images.shape[:3], 3))


def _strip(images: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """Place images side by side in grey frames, padded to `most` images."""
    edge = max(1, images.shape[1] // 14)
    framed = np.pad(images, ((0, most - len(images)), (edge, edge), (edge, edge), (0, 0)), constant_values=128)
    return np.hstack(list(framed))


def tiles(images: NDArray[Any], columns: int) -> NDArray[Any]:
    """Tile images, (n, height, width), in rows of `columns`, framed by their maximum, as one image for `square`.

    Empty tiles have the maximum too.
    """
    framed = np.pad(images, ((0, -len(images) % columns), (1, 1), (1, 1)), constant_values=images.max())
    framed[len(images) :] = images.max()
    rows = [np.hstack(list(framed[start : start + columns])) for start in range(0, len(framed), columns)]
    return np.vstack(rows)


def _line(name: str, number: int, x: Numbers, y: Numbers) -> Part:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(x) <= 40 else "lines",
        "name": plotly_safe(name),
        "x": list(map(float, x)),
        "y": list(map(float, y)),
        "line": line_style(number),
        "marker": {"size": 5},
        "hovertemplate": f"{plotly_safe(name)}<br>%{{x}}: %{{y}}<extra></extra>",
    }
