"""Predictions as one image: each predicted image, its true label where it is known, and a bar for each class."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from tellapart.bundles.predictor import Prediction
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.preprocessing import to_image
from tellapart.reports.figures.theme import BLUE, GREY, INK, RED
from tellapart.text import printable

SIDE, GAP, TEXT = 200, 24, 20  # pixels: of an image, between parts, of a line of text
NAME_WIDTH, BAR_WIDTH, SHARE_WIDTH = 190, 300, 90
LINE = 28  # pixels from one bar to the next
TRACK = "#e9ebee"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_predictions(images: Sequence[ImageArray], predictions: Sequence[Prediction]) -> Image.Image:
    """Draw a row for each image, uint8 (h, w, 1 or 3) of any size: the image, a sentence, and a bar for each class.

    Of the bars, the predicted class is blue, and red where the label is known and differs; the true class is blue.
    """
    rows = [_row(image, prediction) for image, prediction in zip(images, predictions, strict=True)]
    width = max(row.width for row in rows)
    sheet = Image.new("RGB", (width + 2 * GAP, sum(row.height + GAP for row in rows) + GAP), "white")
    top = GAP
    for row in rows:
        sheet.paste(row, (GAP, top))
        top += row.height + GAP
    return sheet


def _row(image: ImageArray, prediction: Prediction) -> Image.Image:
    font = ImageFont.load_default(size=TEXT)
    sentence = _shortened(title(prediction), font, NAME_WIDTH + BAR_WIDTH + SHARE_WIDTH)
    left = SIDE + GAP
    height = max(SIDE, LINE * (len(prediction.top) + 2))
    row = Image.new("RGB", (left + NAME_WIDTH + BAR_WIDTH + SHARE_WIDTH, height), "white")
    row.paste(_fitted(image), (0, 0))
    draw = ImageDraw.Draw(row)
    draw.text((left, 0), sentence, fill=INK, font=font)
    small = ImageFont.load_default(size=TEXT - 5)
    source = _shortened(printable(prediction.path), small, NAME_WIDTH + BAR_WIDTH + SHARE_WIDTH)
    draw.text((left, TEXT + 6), source, fill=GREY, font=small)
    for number, entry in enumerate(prediction.top):
        top = LINE * (number + 2)
        true = prediction.true == entry.label
        name = _shortened(printable(entry.label), font, NAME_WIDTH - 12 - 60 * true) + " (true)" * true
        start, middle = left + NAME_WIDTH, top + LINE // 2
        draw.text((start - 12, middle), name, fill=INK, font=font, anchor="rm")
        draw.rectangle((start, top + 5, start + BAR_WIDTH, top + LINE - 5), fill=TRACK)
        if length := round(BAR_WIDTH * entry.probability):
            draw.rectangle((start, top + 5, start + length, top + LINE - 5), fill=_colour(prediction, entry.label))
        share = share_text(entry.probability)
        draw.text((start + BAR_WIDTH + SHARE_WIDTH, middle), share, fill=INK, font=font, anchor="rm")
    return row


def title(prediction: Prediction) -> str:
    """Return the sentence above the bars: the predicted class, and whether it is the true one where that is known."""
    answer = "I don't know" if prediction.unknown else f"predicted {printable(prediction.label)}"
    if prediction.true is None:
        return answer
    if prediction.true == prediction.label:
        return f"{answer}: correct"
    return f"{answer}, true label {printable(prediction.true)}: incorrect"


def _colour(prediction: Prediction, label: str) -> str:
    if label == prediction.true or (label == prediction.label and prediction.true is None):
        return BLUE
    return RED if label == prediction.label else GREY


def share_text(probability: float) -> str:
    """Format a probability in per cent; small ones are not rounded to nothing, nor large ones to all."""
    if 0 < probability < 0.0005:
        return "<0.1 %"
    return ">99.9 %" if 0.9995 <= probability < 1 else f"{100 * probability:.1f} %"


def _fitted(image: ImageArray) -> Image.Image:
    """Scale an image to fit a square; the pixels of an enlarged image stay visible."""
    pil_image = to_image(image).convert("RGB")
    scale = SIDE / max(pil_image.size)
    size = (max(1, round(pil_image.width * scale)), max(1, round(pil_image.height * scale)))
    return pil_image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)


def _shortened(text: str, font: Font, width: int) -> str:
    while text and font.getlength(text) > width:
        text = text.rstrip("…")[:-1] + "…"
    return text
