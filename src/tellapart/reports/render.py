"""Rendering of HTML pages that work without a network, and in which only known scripts run."""

import base64
import hashlib
import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tellapart.errors import require
from tellapart.reports.report import Drawing
from tellapart.style import style_sheet
from tellapart.text import percent

TEMPLATES = Path(__file__).parent / "templates"


def page_html(template: str, *, more: Path | None = None, **values: object) -> str:
    """Render a page that extends `layout.html.jinja`, with the style sheet and the scripts that draw its figures.

    `more` is a second folder of templates.
    """
    plotly = require("plotly.offline", extra="train").get_plotlyjs()
    scripts = [plotly, (TEMPLATES / "report.js").read_text(encoding="utf-8")]
    return _page(_template(template, more), scripts, [_hash(script) for script in scripts], values)


def static_html(template: str, **values: object) -> str:
    """Render a page that extends `layout.html.jinja` and has no figures: it is small, and no script runs in it."""
    return _page(_template(template), [], ["'none'"], values)


def site_html(template: str, *, more: Path, **values: object) -> str:
    """Render a page of a site, from the template folder `more`: only scripts from files beside the page run."""
    return _page(_template(template, more), [], ["'self'", "file:"], values)  # 'self' does not match file: addresses


def byte_count(text: str) -> int:
    """Return the size of a page in bytes, as it is written to disk."""
    return len(text.encode(errors="surrogateescape"))


def _page(
    render: Callable[..., str], scripts: Sequence[str], allowed: Sequence[str], values: Mapping[str, object]
) -> str:
    return render(
        style=style_sheet(),
        scripts=scripts,
        hashes=allowed,  # the content security policy: no other script runs, even if a name contains one
        **values,
    )


def _template(name: str, more: Path | None = None) -> Callable[..., str]:
    jinja2 = require("jinja2", extra="train")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, *([more] if more else [])]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plot": _plot, "percent": percent, "count": "{:,}".format}
    render: Callable[..., str] = environment.get_template(name).render
    return render


def _plot(drawing: Drawing) -> dict[str, str]:
    """Split a figure into JSON without any `<`, which could end its script element, and its title as text."""
    figure = json.loads(drawing.figure.to_json() or "{}")
    layout = figure.setdefault("layout", {})
    title = layout.pop("title", {}).get("text", "")
    layout.setdefault("margin", {})["t"] = 12  # pixels: the title is above the figure, as text that can wrap
    return {"json": json.dumps(figure).replace("<", "\\u003c"), "title": html.unescape(title)}


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
