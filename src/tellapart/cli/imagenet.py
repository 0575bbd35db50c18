"""`tellapart imagenet`."""

import json as jsonlib
import sys
from itertools import chain, islice, tee
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.cli.predict import PARTLY, Word
from tellapart.data.sources.listing import list_images
from tellapart.errors import ImageError
from tellapart.models.imagenet import Class
from tellapart.models.imagenet import imagenet as opened

Choices = list[tuple[Class, float]]


def imagenet(
    *images: Word, model: str = "xception", weights: Path | None = None, top: int = 5, json: bool = False
) -> int:
    """Name what images show among ImageNet's 1,000 classes, in the order given.

    Parameters
    ----------
    images
        Files, folders (all images below them), globs in quotes, or - for one path per line on standard input.
    model
        A network that was trained on ImageNet: tellapart summary lists them.
    weights
        A file with the whole network's weights, its top included; else TELLAPART_WEIGHTS and Keras are asked.
    top
        How many classes to name for each image.
    json
        One JSON object per line.
    """
    paths = list_images(images, sys.stdin)
    first = list(islice(paths, 1))  # refuses here what names no image, before the network is opened
    network = opened(model, weights)
    paths, again = tee(chain(first, paths))
    unread = 0
    for path, answer in zip(again, network.probabilities(paths), strict=True):
        if isinstance(answer, ImageError):
            unread += 1
            print(jsonlib.dumps({"path": path, "error": str(answer)}) if json else f"{path}: error: {answer}")
        else:
            print(_line(path, _best(answer, network.classes, top), json=json), flush=True)
    return PARTLY if unread else 0


def _best(probabilities: NDArray[np.float32], classes: tuple[Class, ...], top: int) -> Choices:
    order = np.argsort(-probabilities, kind="stable")[: max(top, 1)]
    return [(classes[i], float(probabilities[i])) for i in order]


def _line(path: str, choices: Choices, *, json: bool) -> str:
    if not json:
        return f"{path}: " + ", ".join(f"{one.label} {probability:.1%}" for one, probability in choices)
    named = [{"label": one.label, "wordnet": one.wordnet, "probability": share} for one, share in choices]
    return jsonlib.dumps(
        {"path": path, "label": named[0]["label"], "probability": named[0]["probability"], "top": named}
    )
