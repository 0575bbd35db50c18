"""Conversion of stored pixels to 8 bits without transparency: which values are black and white, what is behind.

A file of 16 bits often holds 10, 12 or 14 bits of a detector; by its high byte it would be nearly black. A clear
background has no colour of its own: on white, white icons vanish.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.errors import RecipeError

ImageArray = NDArray[np.uint8]
"""uint8 (height, width, channels), 1 channel for grey or 3 for RGB."""
Alpha = Literal["white", "black", "checker", "mean"]
Range = tuple[int, int]
"""The stored values of 16 bits that become 0 and 255."""
MAX_VALUE = 65535
BACKGROUNDS = {"white": 255, "black": 0, "mean": 128}
CHECKER = (85, 170)  # greys that differ from white, from black and from each other
SQUARES = 8  # of the checker pattern across an image
RANGE = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")


@dataclass(frozen=True)
class Conversion:
    """The values of 16 bits that are black and white (None: the high byte is taken), and what clear pixels lie on.

    `mean` is a grey of 128, the mean of black and white, and `checker` a board of two greys.
    """

    range: Range | None = None
    alpha: Alpha = "white"
    fast_jpeg: bool = False
    """Whether JPEGs are decoded as TensorFlow does it."""

    def narrow(self, wide: NDArray[Any], transparent: object = None) -> NDArray[np.uint8]:
        """Convert 16-bit grey (h, w) to uint8 (h, w); the value `transparent` becomes background."""
        if self.range is None:
            grey = wide >> 8
        else:
            low, high = self.range
            grey = np.rint((np.clip(wide, low, high) - np.float64(low)) * (255 / (high - low)))
        return np.where(wide == transparent, BACKGROUNDS.get(self.alpha, 128), grey).astype(np.uint8)

    def on_background(self, image: Image.Image, top: int = 0) -> Image.Image:
        """Blend an image that has transparency with its background, to mode L or RGB.

        `top` is the number of the image's first row, where it is a strip of a larger one.
        """
        grey = image.mode in ("1", "L", "LA", "La")
        rgba = image.convert("RGBA")
        background = self._background(*rgba.size, top).convert("RGBA")
        return Image.alpha_composite(background, rgba).convert("L" if grey else "RGB")

    def _background(self, width: int, height: int, top: int) -> Image.Image:
        if self.alpha != "checker":
            return Image.new("L", (width, height), BACKGROUNDS[self.alpha])
        side = max(1, width // SQUARES)
        rows, columns = np.arange(top, top + height) // side, np.arange(width) // side
        odd = (rows[:, np.newaxis] + columns) % 2
        return Image.fromarray(np.array(CHECKER, np.uint8)[odd])


USUAL = Conversion()
"""The conversion of every image before there was a choice."""


def parse_range(text: str) -> Range:
    """Parse a range such as 0:4095. Raises RecipeError."""
    parts = RANGE.fullmatch(text)
    low, high = map(int, parts.groups()) if parts else (0, 0)
    if not 0 <= low < high <= MAX_VALUE:
        raise RecipeError(
            f"range is {text!r}; expected the stored values that are to be black and white, such as 0:4095, from 0 to "
            f"{MAX_VALUE}"
        )
    return low, high


def is_range(value: object) -> bool:
    """Return whether a value, perhaps read from a file, is a range or None."""
    if value is None:
        return True
    whole = isinstance(value, tuple) and len(value) == 2 and all(type(end) is int for end in value)
    return whole and 0 <= value[0] < value[1] <= MAX_VALUE  # type: ignore[index]


def is_alpha(value: object) -> bool:
    """Return whether a value, perhaps read from a file, names a background."""
    return value in get_args(Alpha)
