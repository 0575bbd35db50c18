"""The curve of a range test: as text, as PNG, as a page."""

import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

from tellapart.cli.tables import aligned
from tellapart.errors import RecipeError, require
from tellapart.files import atomic_write
from tellapart.studies.lr_find import RateTest

PER_DECADE = 2  # rows of the curve as text
BAR = 40  # characters for the highest loss that is drawn
WIDTH, HEIGHT, MARGIN = 800, 480, 60  # pixels
GREY, LIGHT, BLUE, RED, GREEN = "#333333", "#c4cfdd", "#2f5d9b", "#b3372f", "#2f7d4f"
SIDES = {"left": "ra", "right": "la"}  # of a line, as Pillow anchors a text there
Point = tuple[float, float]


def require_known(path: Path) -> None:
    """Refuse a file that is neither .png nor .html. Raises RecipeError."""
    if path.suffix.lower() not in (".png", ".html"):
        raise RecipeError(f"{path} is no kind of file that a curve is saved as: name it .png or .html")


def save(found: RateTest, path: Path) -> None:
    """Write the curve, as the file's name says: .png, or an .html page that needs no network."""
    atomic_write(path, _page(found) if path.suffix.lower() == ".html" else _png(found))


def text(found: RateTest) -> str:
    """A row for each half decade: the rate, the smoothed loss, and a bar."""
    count = len(found.rates)
    decades = math.log10(found.rates[-1] / found.rates[0])
    rows = max(2, round(decades * PER_DECADE) + 1)
    places = sorted({round(row * (count - 1) / (rows - 1)) for row in range(rows)})
    ceiling = _ceiling(found)
    lines = [["rate", "loss", ""]]
    for place in places:
        loss = float(found.smoothed[place])
        bar = "#" * round(BAR * min(loss / ceiling, 1))
        lines.append(
            [f"{found.rates[place]:.1e}", f"{loss:.3f}", (bar + (">" if loss > ceiling else "")).ljust(BAR + 1)]
        )
    return "\n".join(line.rstrip() for line in aligned(lines).splitlines())


def _ceiling(found: RateTest) -> float:
    """The highest loss that is drawn: what comes when the rate is out of hand would flatten all else."""
    return float(max(1.25 * found.smoothed[: len(found.rates) // 2].max(), found.smoothed.min() * 2))


def _png(found: RateTest) -> bytes:
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    place = _placed(found)
    _axes(draw, found, place)
    for losses, colour, width in ((found.losses, LIGHT, 1), (found.smoothed, BLUE, 3)):
        draw.line([place(rate, loss) for rate, loss in zip(found.rates, losses, strict=True)], colour, width)
    for rate, colour, name, side in _marks(found):
        x, y = place(rate, 0)
        draw.line([(x, MARGIN), (x, y)], colour, 2)
        draw.text((x - 6, MARGIN) if side == "left" else (x + 6, MARGIN), name, colour, anchor=SIDES[side])
    content = BytesIO()
    image.save(content, format="PNG")
    return content.getvalue()


def _placed(found: RateTest) -> Callable[[float, float], Point]:
    """Where a rate and a loss are in the image."""
    first, last = math.log10(found.rates[0]), math.log10(found.rates[-1])
    ceiling = _ceiling(found)

    def place(rate: float, loss: float) -> Point:
        across = (math.log10(rate) - first) / (last - first)
        up = min(max(loss / ceiling, 0.0), 1.0)
        return MARGIN + across * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - up * (HEIGHT - 2 * MARGIN)

    return place


def _axes(draw: ImageDraw.ImageDraw, found: RateTest, place: Callable[[float, float], Point]) -> None:
    left, bottom = place(float(found.rates[0]), 0)
    draw.line([(left, MARGIN), (left, bottom), (WIDTH - MARGIN, bottom)], GREY)
    for power in range(math.ceil(math.log10(found.rates[0]) - 1e-9), math.floor(math.log10(found.rates[-1])) + 1):
        x = place(10.0**power, 0)[0]
        draw.line([(x, bottom), (x, bottom + 5)], GREY)
        draw.text((x, bottom + 8), f"1e{power}", GREY, anchor="ma")
    for part in range(5):
        loss = _ceiling(found) * part / 4
        draw.text((left - 8, place(float(found.rates[0]), loss)[1]), f"{loss:.2f}", GREY, anchor="rm")
    draw.text((WIDTH / 2, HEIGHT - 18), "learning rate", GREY, anchor="mm")
    draw.text((left, MARGIN - 20), "loss: each batch (light), smoothed (dark)", GREY)


def _marks(found: RateTest) -> list[tuple[float, str, str, str]]:
    """What is marked: at which rate, in which colour, its name, and on which side of the line that stands."""
    if not found.learned:
        return []
    sides = ("left", "right") if found.steepest <= found.tenth else ("right", "left")
    return [
        (found.steepest, RED, f"steepest {found.steepest:.1e}", sides[0]),
        (found.tenth, GREEN, f"a tenth of the least {found.tenth:.1e}", sides[1]),
    ]


def _page(found: RateTest) -> str:
    figure = require("plotly.graph_objects", extra="train").Figure()
    for losses, name, colour in ((found.losses, "each batch", LIGHT), (found.smoothed, "smoothed", BLUE)):
        figure.add_scatter(x=found.rates.tolist(), y=losses.tolist(), name=name, line={"color": colour})
    for rate, colour, name, side in _marks(found):
        figure.add_vline(x=rate, line_color=colour, annotation_text=name, annotation_position=f"top {side}")
    figure.update_layout(title="Loss while the learning rate grows", template="plotly_white")
    figure.update_xaxes(type="log", title="learning rate", exponentformat="power")
    figure.update_yaxes(title="loss", range=[0, _ceiling(found)])
    page: str = figure.to_html(include_plotlyjs=True)
    return page
