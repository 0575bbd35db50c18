"""How an answer shows itself in a notebook: the image, and a bar for each class."""

from pathlib import Path

from tellapart.bundles.predictor import Prediction, Unreadable
from tellapart.data.image import ImageArray
from tellapart.data.image_file import read_image
from tellapart.data.preprocessing import to_image
from tellapart.errors import ImageError
from tellapart.notebook.html import Html, bars, block, heading, image, row, sentence


def prediction_html(prediction: Prediction) -> Html:
    """The image, where its path is that of a file that can be read; its label, and a bar for each class."""
    shares = [(choice.label, choice.probability) for choice in prediction.top]
    answer = block(
        heading("I don't know" if prediction.unknown else prediction.label), bars(shares), sentence(prediction.path)
    )
    found = _found(prediction.path)
    return answer if found is None else block(row(image(to_image(found), name=prediction.path), answer, gap=16))


def unreadable_html(unreadable: Unreadable) -> Html:
    """The path, and why it cannot be read."""
    return block(heading("cannot be read"), sentence(f"{unreadable.path}: {unreadable.error}"))


def _found(path: str) -> ImageArray | None:
    """The image that was asked about, uint8 (h, w, 1 or 3); None where the path is but a name, or a file no more."""
    try:
        # A pipe would have to be waited for, so plain files only.
        return read_image(path) if Path(path).is_file() else None
    except (ImageError, OSError, ValueError):
        return None
