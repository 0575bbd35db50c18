"""Pixels for an exported classifier by Pillow and NumPy alone, to port or to check a port: pixels(file, steps)."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps


def pixels(file: str | Path, steps: dict[str, Any]) -> np.ndarray:
    """Follow `preprocessing` of export.json: uint8 (1, height, width, channels)."""
    image = eight_bits(ImageOps.exif_transpose(Image.open(file)), steps)
    size, fit, resize = (steps["width"], steps["height"]), steps["fit"], steps.get("resize", "pillow-bicubic")
    box: Any = (0, 0, *image.size)
    inner: Any = size
    exact: Any = size
    keras = resize != "pillow-bicubic"
    if fit == "pad":  # the whole image in its own proportions
        scale = min(size[0] / image.width, size[1] / image.height)
        exact = inner = tuple(max(1, round(side * scale)) for side in image.size)
        if resize == "keras-bilinear":  # all in float32
            exact = np.array(image.size, np.float32)
            exact = exact / np.max(exact / np.array(size, np.float32))
            inner = tuple(max(1, int(side)) for side in exact)
    if fit == "crop":  # the largest centred box; in whole pixels for Keras
        sides: Any = (
            min(image.width, image.height * size[0] / size[1]),
            min(image.height, image.width * size[1] / size[0]),
        )
        sides = tuple(max(1, int(side)) if keras else side for side in sides)
        left, top = (
            (whole - side) // 2 if keras else (whole - side) / 2 for whole, side in zip(image.size, sides, strict=True)
        )
        box = (left, top, left + sides[0], top + sides[1])
    if image.size == size:
        small = image
    elif resize == "keras-bilinear":
        small = Image.fromarray(bilinear(np.asarray(image.crop(box), np.float32), *inner))
    else:  # Pillow's bicubic filter widens as it shrinks an image; the nearest pixel is taken as it is
        small = image.resize(inner, Image.Resampling.NEAREST if keras else Image.Resampling.BICUBIC, box=box)
    canvas = Image.new(image.mode, size)
    canvas.paste(small, (int((size[0] - exact[0]) / 2), int((size[1] - exact[1]) / 2)))
    return np.asarray(canvas).reshape(1, size[1], size[0], steps["channels"])


def eight_bits(image: Image.Image, steps: dict[str, Any]) -> Image.Image:
    """Take 16 bits to 8, lay clear pixels on their background: mode L or RGB."""
    if image.mode.startswith("I"):  # 16 bits: their high byte, or a range of values
        low, high = steps.get("range", (0, 65280))
        grey = np.clip((np.asarray(image).astype(float) - low) * 255 / (high - low), 0, 255)
        image = Image.fromarray((np.rint(grey) if "range" in steps else np.floor(grey)).astype(np.uint8))
    if image.has_transparency_data:
        rows, columns = (np.arange(side) // max(1, image.width // 8) for side in (image.height, image.width))
        checker = np.array([85, 170])[(rows[:, None] + columns) % 2]
        behind = (
            checker if steps.get("alpha") == "checker" else {"black": 0, "mean": 128}.get(steps.get("alpha", ""), 255)
        )
        background = Image.fromarray(np.broadcast_to(behind, checker.shape).astype(np.uint8)).convert("RGBA")
        image = Image.alpha_composite(background, image.convert("RGBA"))
    return image.convert("RGB").convert("L" if steps["channels"] == 1 else "RGB")


def bilinear(array: np.ndarray, width: int, height: int) -> np.ndarray:
    """Interpolate between the four nearest pixels, without antialiasing: float32 in, uint8 out, rounded."""
    for axis, new in ((1, width), (0, height)):
        centres = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * np.float32(array.shape[axis] / new)
        centres -= np.float32(0.5)
        first, second = (np.clip(edge(centres).astype(int), 0, array.shape[axis] - 1) for edge in (np.floor, np.ceil))
        share = (centres - np.floor(centres)).reshape([-1 if side == axis else 1 for side in range(array.ndim)])
        start, end = array.take(first, axis), array.take(second, axis)
        array = start + (end - start) * share
    rounded: np.ndarray = np.rint(array).astype(np.uint8)
    return rounded
