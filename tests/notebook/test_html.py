"""HTML fragments: names are text, and images are embedded."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tellapart.notebook.html import MAX_TEXT, PIXEL_RATIO, SIDE, Html, bars, block, heading, image, row, sentence, table

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "&lt;b&gt;",
    "</td></table>",
    "a\x00b\udcff",
    "$x$ and \\(y\\)",
)
EMPTY = ("img", "br")


class Read(HTMLParser):
    """A parsed fragment: the tags with their attributes, and the text."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag, and that it must be closed."""
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost tag, which must be this one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Record a text."""
        self.text.append(data)


def pil_image(width: int, height: int, mode: str = "RGB") -> Image.Image:
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def opened(fragment: str) -> Image.Image:
    (content,) = re.findall(r'src="data:image/(?:png|jpeg);base64,([^"]*)"', fragment)
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_and_never_markup(name: str) -> None:
    fragment = block(
        heading(name),
        sentence(name),
        row(image(pil_image(4, 4), name=name, caption=name)),
        bars([(name, 0.5)]),
        table([name, name], [[name, name]], shades=[[0.5]]),
    )
    read = Read(fragment)
    assert read.open == []
    assert {tag for tag, _ in read.tags} <= {
        "div", "figure", "img", "figcaption", "span", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert {name for _, attributes in read.tags for name in attributes} <= {"class", "style", "src", "alt", "title"}
    shown = name.replace("\udcff", "?")
    assert [text for text in read.text if text != "50.0%"] == [shown] * 8
    (image_tag,) = [attributes for tag, attributes in read.tags if tag == "img"]
    assert image_tag["alt"] == image_tag["title"] == shown
    json.dumps(fragment).encode("ascii")
    fragment.encode("utf-8")


def test_text_between_dollar_signs_is_not_typeset() -> None:
    (outer,) = Read(block()).tags
    assert str(outer[1]["class"]).split() == ["tex2jax_ignore", "mathjax_ignore"]


def test_a_long_text_is_cut() -> None:
    (shown,) = Read(heading("a" * 10_000_000)).text
    assert shown == "a" * (MAX_TEXT - 1) + "…"
    assert Read(heading("a" * MAX_TEXT)).text == ["a" * MAX_TEXT]


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_small_image_keeps_every_pixel(mode: str) -> None:
    original = pil_image(8, 6, mode)
    fragment = image(original, name="one")
    stored = opened(fragment)
    assert (stored.format, stored.mode) == ("PNG", mode)
    np.testing.assert_array_equal(np.asarray(stored), np.asarray(original))
    assert f"width: {SIDE}px; height: {SIDE * 6 // 8}px" in fragment
    assert "pixelated" in fragment


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_large_image_is_reduced(mode: str) -> None:
    original = pil_image(3000, 1500, mode)
    before = original.copy()
    fragment = image(original, name="one")
    assert opened(fragment).size == (PIXEL_RATIO * SIDE, PIXEL_RATIO * SIDE // 2)
    assert len(fragment) < 40_000
    assert "pixelated" not in fragment
    assert original == before


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (1, 1), (PIXEL_RATIO * SIDE, 1)])
def test_an_image_of_any_shape_is_visible(size: tuple[int, int]) -> None:
    fragment = image(pil_image(*size), name="one")
    assert opened(fragment).size == tuple(max(1, round(side * min(1, PIXEL_RATIO * SIDE / max(size)))) for side in size)
    assert "0px;" not in re.sub(r"\d\dpx", "", fragment.split("base64,")[1].partition('"')[2])


@pytest.mark.parametrize(
    ("share", "width", "words"),
    [
        (0.973, "97.3%", "97.3%"),
        (0.0, "0.0%", "0.0%"),
        (1.0, "100.0%", "100.0%"),
        (float("nan"), "0.0%", "nan%"),
        (7.0, "0.0%", "700.0%"),
    ],
)
def test_a_bar_is_as_long_as_its_share(share: float, width: str, words: str) -> None:
    fragment = bars([("cat", share), ("dog", 0.1)])
    assert re.findall(r"width: ([\d.]+%)", fragment) == [width, "10.0%"]
    assert [text for text in Read(fragment).text if text.strip()] == ["cat", words, "dog", "10.0%"]


def test_a_table_has_its_cells_in_order_with_their_shades() -> None:
    fragment = table(["", "a", "b"], [["x", "1", "2"], ["y", "3", "4"]], shades=[[1.0, 0.0], [0.5, 0.0]])
    read = Read(fragment)
    assert read.text == ["", "a", "b", "x", "1", "2", "y", "3", "4"][1:]
    fills = [re.findall(r"rgba\(0, 114, 178, ([\d.]+)\)", str(at["style"])) for tag, at in read.tags if tag == "td"]
    assert fills == [["0.50"], [], ["0.25"], []]
    assert "rgba(0, 114" not in table(["", "a"], [["x", "1"]])


def test_colours_are_inherited_for_light_and_dark_backgrounds() -> None:
    fragment = block(heading("a"), bars([("a", 0.5)]), table(["a"], [["a"]]), image(pil_image(4, 4), name="a"))
    styles = " ".join(str(attributes.get("style", "")) for _, attributes in Read(fragment).tags)
    assert not re.search(r"(^|[ ;])color:", styles)
    assert not re.search(r"background: *(white|#fff)", styles)


def test_empty_fragments_are_allowed() -> None:
    assert Read(block(row(), bars([]), table([], []))).text == []
    assert isinstance(block(Html("")), str)
