"""Maps by hiding: a patch is laid over one place after the other, and what the class then loses is noted."""

from collections.abc import Iterator

import numpy as np

from tellapart.data.image import ImageArray
from tellapart.data.pipeline import Runner
from tellapart.explaining.centred_logits import Heat, centred_logits

PLACES = 9  # along the longer side; two patches overlap by a half
LEAST = 1e-6  # a probability below is taken as this much: who falls from there to less has lost nothing that counts


class Occlusion:
    """Maps of any classifier, from its answers alone. Lives as long as images come.

    Source: Zeiler and Fergus, Visualizing and understanding convolutional networks (2014), section 4.2.
    """

    def __init__(self, runner: Runner) -> None:
        """Ask `runner`, which takes images in batches."""
        self._runner = runner

    def __call__(self, image: ImageArray, index: int) -> Heat:
        """What each place is worth to a class, by its index: float32 (rows, columns), of any range.

        That is the evidence for the class which is lost when a patch hides the place.
        """
        rows, columns = _places(image.shape[0], image.shape[1])
        answers = np.concatenate(list(self._runner.run(_batches(image, rows, columns, self._runner.batch))))
        scores = centred_logits(answers, least=LEAST)[:, index]
        losses: Heat = (scores[0] - scores[1:]).reshape(rows, columns).astype(np.float32)
        return losses


def _places(height: int, width: int) -> tuple[int, int]:
    """How many patches there are down and across: nearly square ones, of a pixel or more each way."""
    step = max(height, width) / PLACES
    return max(1, min(height, round(height / step))), max(1, min(width, round(width / step)))


def _batches(image: ImageArray, rows: int, columns: int, size: int) -> Iterator[ImageArray]:
    """The image as it is and with each place hidden, uint8 (up to `size`, height, width, channels) at a time."""
    hidden = [(row, column) for row in range(rows) for column in range(columns)]
    whole: list[tuple[int, int] | None] = [None, *hidden]
    grey = image.mean(axis=(0, 1)).round().astype(np.uint8)
    for start in range(0, len(whole), size):
        batch = np.stack([image] * len(whole[start : start + size]))
        for one, place in zip(batch, whole[start : start + size], strict=True):
            if place is not None:
                one[_patch(place[0], rows, image.shape[0]), _patch(place[1], columns, image.shape[1])] = grey
        yield batch


def _patch(number: int, count: int, side: int) -> slice:
    """Two steps long, around the middle of its own step."""
    step = side / count
    return slice(max(0, round((number - 0.5) * step)), min(side, round((number + 1.5) * step)))
