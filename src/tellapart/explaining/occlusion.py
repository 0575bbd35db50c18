"""Occlusion maps: how much a class's score falls when a patch covers each region of the image."""

from collections.abc import Iterator

import numpy as np

from tellapart.data.decoding.conversion import ImageArray
from tellapart.data.pipeline import Runner
from tellapart.explaining.centred_logits import Heat, centred_logits

PATCHES = 9  # along the longer side; adjacent patches overlap by a half
MIN_PROB = 1e-6  # lower probabilities are raised to it: a fall from there does not matter


class Occlusion:
    """Occlusion maps of any classifier, from its probabilities alone.

    Source: Zeiler and Fergus, Visualizing and understanding convolutional networks (2014), section 4.2.
    """

    def __init__(self, runner: Runner) -> None:
        """Predict with `runner`, which takes images in batches."""
        self._runner = runner

    def __call__(self, image: ImageArray, index: int) -> Heat:
        """Compute the fall of a class's centred logit when each region is covered: float32 (rows, columns)."""
        rows, columns = _grid(image.shape[0], image.shape[1])
        probs = np.concatenate(list(self._runner.run(_batches(image, rows, columns, self._runner.batch))))
        scores = centred_logits(probs, min_prob=MIN_PROB)[:, index]
        losses: Heat = (scores[0] - scores[1:]).reshape(rows, columns).astype(np.float32)
        return losses


def _grid(height: int, width: int) -> tuple[int, int]:
    """The numbers of patches down and across, nearly square and at least one pixel each."""
    step = max(height, width) / PATCHES
    return max(1, min(height, round(height / step))), max(1, min(width, round(width / step)))


def _batches(image: ImageArray, rows: int, columns: int, size: int) -> Iterator[ImageArray]:
    """The image itself and with each patch covered, uint8 (up to `size`, height, width, channels) at a time."""
    patches: list[tuple[int, int] | None] = [None, *((row, column) for row in range(rows) for column in range(columns))]
    grey = image.mean(axis=(0, 1)).round().astype(np.uint8)
    for start in range(0, len(patches), size):
        batch = np.stack([image] * len(patches[start : start + size]))
        for copy, patch in zip(batch, patches[start : start + size], strict=True):
            if patch is not None:
                copy[_span(patch[0], rows, image.shape[0]), _span(patch[1], columns, image.shape[1])] = grey
        yield batch


def _span(number: int, count: int, side: int) -> slice:
    """The pixels of a patch on one axis: two steps long, around the middle of its own step."""
    step = side / count
    return slice(max(0, round((number - 0.5) * step)), min(side, round((number + 1.5) * step)))
