"""The one style of all pages: `tokens.css` for every page, `pages.css` for those that are read."""

from pathlib import Path

TOKENS = Path(__file__).parent / "tokens.css"
PAGES = Path(__file__).parent / "pages.css"


def style_sheet() -> str:
    """Return the style sheet of a page that is read."""
    return f"{TOKENS.read_text(encoding='utf-8')}\n{PAGES.read_text(encoding='utf-8')}"
