"""Shapes of what a model takes and gives: which images fit, and whether its outputs are those of a classifier."""

from collections.abc import Sequence
from math import isqrt

from tellapart.data.image_size import MAX_SIDE, Size, checked_size, sides_of
from tellapart.errors import RecipeError, WeightsError

Sides = tuple[int | None, int | None, int]


def image_shape(sides: Sequence[int | None], size: Size | None) -> tuple[int, int, int]:
    """Return height, width and channels of the images for an input of these sides, without the batch.

    The sides may be (height, width, channels), channels first, (height, width) for grey images without a channel axis,
    or (height * width * channels,) for the values of an image in a row. Raises RecipeError, WeightsError.
    """
    if size is not None:
        size = checked_size(size, 1, MAX_SIDE)
    asked = (None, None) if size is None else sides_of(size)
    height, width, channels = _flat_sides(sides[0], size) if len(sides) == 1 else _image_sides(sides)
    if size is None and None in (height, width):
        raise RecipeError(
            "the model takes images of any size: choose one with --size, best the one it was trained with"
        )
    if size is not None and any(own not in (None, side) for own, side in zip((height, width), asked, strict=True)):
        raise RecipeError(f"size is {size}, but the model takes {height} x {width} pixels: leave --size out")
    return int(height or asked[0] or 0), int(width or asked[1] or 0), channels


def _image_sides(sides: Sequence[int | None]) -> Sides:
    if len(sides) == 2:
        return sides[0], sides[1], 1
    if sides[2] in (1, 3):
        return sides[0], sides[1], int(sides[2])
    if sides[0] in (1, 3):
        return sides[1], sides[2], int(sides[0])
    raise WeightsError(f"the model takes {(None, *sides)}; expected 1 or 3 channels, last or first")


def _flat_sides(length: int | None, size: Size | None) -> Sides:
    """Return the shape of the images, square unless a size says otherwise, whose values in a row have this length."""
    for channels in (1, 3):
        height, width = sides_of(size or isqrt((length or 0) // channels))
        if length and height * width * channels == length:
            return height, width, channels
    if size is not None:
        raise RecipeError(
            f"size is {size}, but the model takes {length} numbers: {height} x {width} x 1 or 3 are others"
        )
    raise WeightsError(
        f"the model takes {length} numbers in a row; expected those of a square image, grey or colour, or a --size"
    )


def require_classifier(activation: str, width: int, classes: int) -> None:
    """Check the last activation of a model, softmax, sigmoid or linear, and the number of its outputs.

    Raises WeightsError, RecipeError.
    """
    if activation == "sigmoid" and width > 1:
        raise WeightsError(
            f"the model ends in {width} sigmoids: it is a multi-label model, in which several classes may be true. "
            f"Expected softmax or logits, which choose one class"
        )
    if activation == "softmax" and width == 1:
        raise WeightsError("the model ends in softmax over 1 output, which is always 1: it cannot classify")
    if classes != max(width, 2):
        hint = ": one output is for two classes" if width == 1 else ""
        raise RecipeError(f"there are {classes} class names and {width} outputs{hint}. Name every class once, in order")
