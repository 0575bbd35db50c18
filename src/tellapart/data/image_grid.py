"""Grids of labelled images, drawn as one image."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.preprocessing import to_image

CELL, GAP, TEXT = 112, 12, 16  # pixels


def draw_grid(images: Sequence[ImageArray], labels: Sequence[str], *, columns: int = 5) -> Image.Image:
    """Draw images, uint8 (h, w, 1 or 3) of any size, in rows of `columns`, each above its label."""
    rows = -(-len(images) // columns)
    columns = min(columns, len(images))
    step = (CELL + GAP, CELL + TEXT + GAP)
    canvas = Image.new("RGB", (columns * step[0] + GAP, rows * step[1] + GAP), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=TEXT - 4)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        left, top = GAP + number % columns * step[0], GAP + number // columns * step[1]
        cell = _fitted(to_image(image))
        canvas.paste(cell, (left + (CELL - cell.width) // 2, top + (CELL - cell.height) // 2))
        draw.text((left + CELL / 2, top + CELL + 2), _shortened(label, font), fill="black", font=font, anchor="ma")
    return canvas


def _fitted(pil_image: Image.Image) -> Image.Image:
    """Scale an image to fit a cell; the pixels of an enlarged image stay visible."""
    scale = CELL / max(pil_image.size)
    size = (max(1, round(pil_image.width * scale)), max(1, round(pil_image.height * scale)))
    return pil_image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR)


def _shortened(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while label and font.getlength(label) > CELL + GAP - 2:
        label = label.rstrip("…")[:-1] + "…"
    return label
