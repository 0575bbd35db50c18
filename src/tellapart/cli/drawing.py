"""Images in a terminal: as coloured half blocks, and as plain numbers."""

import shutil
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.data.decoding.conversion import ImageArray
from tellapart.files import atomic_write

CORNER = 4  # rows and columns of numbers that are printed


def array_text(image: ImageArray) -> str:
    """Describe the array: its shape, type, range, mean colour and first numbers."""
    height, width, channels = image.shape
    means = ", ".join(f"{mean:.1f}" for mean in image.reshape(-1, channels).mean(axis=0))
    numbers = "\n".join("  " + " ".join(f"{value:3d}" for value in row) for row in image[:CORNER, :CORNER, 0])
    kind = "grey" if channels == 1 else "red, green, blue"
    return (
        f"array ({height}, {width}, {channels}): height, width, channels ({kind}); {image.dtype}, "
        f"{image.min()} to {image.max()}, mean {means}\nfirst channel, top left corner:\n{numbers}"
    )


def save_or_draw(pil_image: Image.Image, path: Path | None) -> None:
    """Write a PNG file and print its path; without a path, draw in the terminal."""
    if path is None:
        print(draw(pil_image, width=shutil.get_terminal_size().columns - 1))
    else:
        save(pil_image, path)
        print(f"saved: {path}")


def save(pil_image: Image.Image, path: Path) -> None:
    """Write a PNG file, whole or not at all."""
    content = BytesIO()
    pil_image.save(content, format="PNG")
    atomic_write(path, content.getvalue())


def draw(pil_image: Image.Image, *, width: int) -> str:
    """Return half blocks, two pixels each, in 24-bit colour; nothing where standard output is not a terminal."""
    if not sys.stdout.isatty():
        return ""
    columns = min(width, pil_image.width)
    rows = max(2, 2 * round(pil_image.height * columns / pil_image.width / 2))
    pixels = np.asarray(pil_image.convert("RGB").resize((columns, rows)))
    return "\n".join(_line(upper, lower) for upper, lower in zip(pixels[::2], pixels[1::2], strict=True))


def _line(upper: ImageArray, lower: ImageArray) -> str:
    blocks = (
        f"\x1b[38;2;{a[0]};{a[1]};{a[2]}m\x1b[48;2;{b[0]};{b[1]};{b[2]}m▀" for a, b in zip(upper, lower, strict=True)
    )
    return "".join(blocks) + "\x1b[0m"
