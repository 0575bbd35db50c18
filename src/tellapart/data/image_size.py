"""Input sizes of classifiers: the side of square images in pixels, or height x width such as 64x256."""

import re

from tellapart.errors import RecipeError

Size = int | str
"""A side in pixels as a whole number; or `HxW`, which after `checked_size` means sides that differ."""
SIZE_PATTERN = "^[0-9]{1,5}[xX][0-9]{1,5}$"
MAX_SIDE = 4096  # pixels


def parse_size(text: str) -> Size:
    """Parse what a person wrote: `64`, `64x256` or `64X256`. Raises RecipeError."""
    try:
        return int(text)
    except ValueError:
        return _tidied(text)


def checked_size(size: Size, low: int, high: int) -> Size:
    """Return a size in its one spelling: `64X256` is 64x256, `64x64` is 64. Raises RecipeError.

    Sides are from low to high, both included.
    """
    size = _tidied(size) if isinstance(size, str) else size
    if not all(low <= side <= high for side in sides_of(size)):
        both = "" if isinstance(size, int) else " for height and for width"
        raise RecipeError(f"size is {size}; expected {low} to {high}{both}")
    return size


def sides_of(size: Size) -> tuple[int, int]:
    """Return the height and width in pixels of a size in its one spelling."""
    if isinstance(size, int):
        return size, size
    height, width = size.split("x")
    return int(height), int(width)


def size_text(size: Size) -> str:
    """Write a size for people: `64`, or `64 x 256`."""
    return str(size).replace("x", " x ")


def _tidied(text: str) -> Size:
    if not re.fullmatch(SIZE_PATTERN, text):
        raise RecipeError(
            f"size is {text[:80]!r}; expected a side in pixels such as 64, or height x width such as 64x256"
        )
    height, width = map(int, text.lower().split("x"))
    return height if height == width else f"{height}x{width}"
