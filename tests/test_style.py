"""The style of all pages: one set of colours, readable in light and in dark."""

import re

from tellapart.serving.app import PAGE
from tellapart.style import PAGES, TOKENS, style_sheet


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb`, in [0, 1]. Source: WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_is_readable_on_every_surface_in_light_and_in_dark() -> None:
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6});", part)) for part in TOKENS.read_text().split("@media"))
    assert light.keys() == dark.keys()
    for palette in (light, dark):
        for text in ("ink", "muted", "accent", "wrong", "doubt"):
            for surface in ("paper", "surface"):
                assert contrast(palette[text], palette[surface]) >= 4.5, (text, surface)


def test_colours_are_defined_once_and_nothing_is_fetched() -> None:
    service = (PAGE / "page.css").read_text()
    for sheet in (PAGES.read_text(), service):
        assert not re.search(r"--(ink|paper|accent|wrong|sans):", re.sub(r"@media print.*", "", sheet, flags=re.S))
    assert "url(" not in style_sheet() + service
    assert "@import" not in style_sheet() + service
    used, defined = (set(re.findall(form, style_sheet() + service)) for form in (r"var\(--([\w-]+)\)", r"--([\w-]+):"))
    assert used - defined <= {"edge", "shade", "tint", "tone"} | defined
