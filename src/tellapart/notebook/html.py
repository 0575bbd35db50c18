"""HTML fragments for notebooks: images, bars and tables.

Text is escaped, and every fragment inherits its colours, so that it is readable on light and dark backgrounds.
"""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import NewType

from PIL import Image

from tellapart.text import percent

Html = NewType("Html", str)
"""Markup that is safe to show; only the functions of this module make it."""

SIDE = 80  # CSS pixels of an image's longer side
PIXEL_RATIO = 2  # screen pixels for a CSS pixel, at most
MAX_TEXT = 1000  # characters; longer texts are cut
FILL = "0, 114, 178"  # a blue visible on white and on black, for any colour vision. Source: Okabe & Ito 2008
FAINT = "rgba(127, 127, 127, 0.3)"


def block(*parts: Html) -> Html:
    """Place parts below each other. The classes keep notebooks from typesetting text between dollar signs."""
    return Html(f'<div class="tex2jax_ignore mathjax_ignore" style="line-height: 1.4">{"".join(parts)}</div>')


def row(*parts: Html, gap: int = 8) -> Html:
    """Place parts side by side, `gap` CSS pixels apart, in as many lines as they need."""
    style = f"display: flex; flex-wrap: wrap; gap: 8px {gap}px; align-items: flex-start"
    return Html(f'<div style="{style}">{"".join(parts)}</div>')


def heading(text: str) -> Html:
    """Make a line in bold."""
    return Html(f'<div style="font-weight: bold; margin: 4px 0">{_text(text)}</div>')


def sentence(text: str) -> Html:
    """Make a line of explanation."""
    return Html(f'<div style="opacity: 0.8; margin: 4px 0; max-width: 60em">{_text(text)}</div>')


def image(pil_image: Image.Image, *, name: str, caption: str = "") -> Html:
    """Embed an image of mode L or RGB and any size; `name` is its alternative text.

    A small image is enlarged with its pixels visible, a large one reduced.
    """
    width, height = _scaled(pil_image.size, SIDE)
    smooth = "auto" if max(pil_image.size) > SIDE else "pixelated"
    style = f"width: {width}px; height: {height}px; max-width: none; margin: 0; image-rendering: {smooth}"
    return Html(
        f'<figure style="margin: 0; width: {SIDE}px; text-align: center; overflow-wrap: anywhere">'
        f'<img src="{_data(pil_image)}" alt="{_text(name)}" title="{_text(name)}" style="{style}">'
        f"<figcaption>{_text(caption)}</figcaption></figure>"
    )


def bars(shares: Sequence[tuple[str, float]]) -> Html:
    """Draw a bar for each name and probability, in [0, 1]."""
    style = (
        "display: grid; grid-template-columns: auto 10em auto; gap: 2px 8px; align-items: center; width: max-content"
    )
    return Html(f'<div style="{style}">{"".join(_bar(name, share) for name, share in shares)}</div>')


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, shades: Sequence[Sequence[float]] | None = None
) -> Html:
    """Make a table whose first column names the rows. `shades`, each in [0, 1], colour the cells of the others."""
    head = "".join(_cell("th", name, left=i == 0) for i, name in enumerate(header))
    lines = [
        _cell("th", cells[0], left=True)
        + "".join(_cell("td", cell, shades[i][j] if shades else 0.0) for j, cell in enumerate(cells[1:]))
        for i, cells in enumerate(rows)
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return Html(
        '<div style="overflow-x: auto; max-width: 100%"><table style="border-collapse: collapse; margin: 4px 0">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(tag: str, text: str, shade: float = 0.0, *, left: bool = False) -> str:
    # At an opacity of 0.5 text of any inherited colour is readable.
    fill = f"; background: rgba({FILL}, {shade / 2:.2f})" if shade else ""
    style = f"text-align: {'left' if left else 'right'}; padding: 2px 8px; border-bottom: 1px solid {FAINT}{fill}"
    return f'<{tag} style="{style}">{_text(text)}</{tag}>'


def _bar(name: str, share: float) -> str:
    width = share if 0 <= share <= 1 else 0.0  # a value outside [0, 1] has no bar
    fill = f'<span style="display: block; height: 0.8em; width: {width:.1%}; background: rgb({FILL})"></span>'
    return (
        f'<span style="max-width: 20em; overflow-wrap: anywhere">{_text(name)}</span>'
        f'<span style="background: {FAINT}">{fill}</span><span style="text-align: right">{percent(share)}</span>'
    )


def _data(pil_image: Image.Image) -> str:
    """Encode an image as a data URI: a small one as PNG with exact pixels, a large one reduced, as JPEG."""
    stream, kind = io.BytesIO(), "png"
    if max(pil_image.size) <= PIXEL_RATIO * SIDE:
        pil_image.save(stream, "PNG")
    else:
        kind = "jpeg"
        pil_image.resize(_scaled(pil_image.size, PIXEL_RATIO * SIDE), reducing_gap=2.0).save(stream, "JPEG", quality=85)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"


def _scaled(size: tuple[int, int], longer: int) -> tuple[int, int]:
    """Scale width and height so that the longer side has the given length."""
    width, height = (max(1, round(side * longer / max(size))) for side in size)
    return width, height


def _text(text: str) -> str:
    """Escape a text; a file name may contain bytes that are not valid characters."""
    shown = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    return escape(shown.encode("utf-8", "replace").decode("utf-8"))
