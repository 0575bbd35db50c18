"""Pictures as coloured half blocks in a terminal, and as plain facts."""

import shutil
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.data.image import Picture
from tellapart.files import atomic_write

CORNER = 4  # rows and columns of numbers that are printed


def facts(picture: Picture) -> str:
    """Say what the array is: its shape, type, range, mean colour and first numbers."""
    height, width, channels = picture.shape
    means = ", ".join(f"{mean:.1f}" for mean in picture.reshape(-1, channels).mean(axis=0))
    numbers = "\n".join("  " + " ".join(f"{value:3d}" for value in row) for row in picture[:CORNER, :CORNER, 0])
    kind = "grey" if channels == 1 else "red, green, blue"
    return (
        f"array ({height}, {width}, {channels}): height, width, channels ({kind}); {picture.dtype}, "
        f"{picture.min()} to {picture.max()}, mean {means}\nfirst channel, top left corner:\n{numbers}"
    )


def save_or_draw(image: Image.Image, save: Path | None) -> None:
    """Write a PNG file and say so, or draw in the terminal."""
    if save is None:
        print(draw(image, width=shutil.get_terminal_size().columns - 1))
        return
    content = BytesIO()
    image.save(content, format="PNG")
    atomic_write(save, content.getvalue())
    print(f"saved: {save}")


def draw(image: Image.Image, *, width: int) -> str:
    """Half blocks, two pixels each, in 24-bit colour; empty where the output is no terminal."""
    if not sys.stdout.isatty():
        return ""
    columns = min(width, image.width)
    rows = max(2, 2 * round(image.height * columns / image.width / 2))
    pixels = np.asarray(image.convert("RGB").resize((columns, rows)))
    return "\n".join(_line(upper, lower) for upper, lower in zip(pixels[::2], pixels[1::2], strict=True))


def _line(upper: Picture, lower: Picture) -> str:
    blocks = (
        f"\x1b[38;2;{a[0]};{a[1]};{a[2]}m\x1b[48;2;{b[0]};{b[1]};{b[2]}m▀" for a, b in zip(upper, lower, strict=True)
    )
    return "".join(blocks) + "\x1b[0m"
