"""A prediction in a notebook: the image, and a bar for each class."""

from pathlib import Path

from tellapart.bundles.predictor import Prediction, Unreadable
from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.image_inputs import named_image
from tellapart.data.preprocessing import to_image
from tellapart.data.read_image import read_image
from tellapart.data.sources.references import is_reference
from tellapart.errors import ImageError
from tellapart.notebook.html import Html, bars, block, heading, image, row, sentence


def prediction_html(prediction: Prediction) -> Html:
    """Render the image, where its path is a file that can be read; the predicted class, and a bar for each class."""
    shares = [(choice.label, choice.probability) for choice in prediction.top]
    known = [] if prediction.true is None else [sentence(f"The true label is {prediction.true}.")]
    answer = block(
        heading("I don't know" if prediction.unknown else prediction.label),
        bars(shares),
        *known,
        sentence(prediction.path),
    )
    pixels = _read_image(prediction.path)
    return answer if pixels is None else block(row(image(to_image(pixels), name=prediction.path), answer, gap=16))


def unreadable_html(unreadable: Unreadable) -> Html:
    """Render the path, and why it cannot be read."""
    return block(heading("cannot be read"), sentence(f"{unreadable.path}: {unreadable.error}"))


def _read_image(path: str) -> ImageArray | None:
    """Read the predicted image, uint8 (h, w, 1 or 3); None where the path is only a name, or the file is gone."""
    try:
        if is_reference(path):
            return named_image(path).read()
        # Only regular files: reading a pipe could block.
        return read_image(path) if Path(path).is_file() else None
    except (ImageError, OSError, ValueError):
        return None
