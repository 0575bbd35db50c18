"""`tellapart imagenet`."""

import json as jsonlib
import sys
from itertools import chain, islice, tee
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from tellapart.cli.options import require_positive
from tellapart.cli.predict import PARTLY, ImageArgument, report_skipped
from tellapart.data.sources.listing import list_images
from tellapart.errors import ImageError
from tellapart.models.imagenet import ImageNetClass, open_imagenet

Choices = list[tuple[ImageNetClass, float]]


def imagenet(
    *images: ImageArgument,
    model: str = "xception",
    weights: Path | None = None,
    top: int = 5,
    json: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Classify images among ImageNet's 1,000 classes, in the order given. Nothing is trained.

        tellapart imagenet photo.jpg

    Parameters
    ----------
    images
        Files, folders (all images in them and below), globs in quotes, or - for one path per line on standard input.
    model
        A network that was trained on ImageNet: `tellapart summary` lists them.
    weights
        A file with the whole network's weights, head included. By default they are found in TELLAPART_WEIGHTS, or
        downloaded by Keras.
    top
        Number of classes to print for each image.
    json
        Print one JSON object per line, for each image.
    """
    require_positive("--top", top)
    listed = list_images(images, sys.stdin)
    first = list(islice(listed, 1))  # refuses here what names no image, before the network is loaded
    network = open_imagenet(model, weights)
    paths, again = tee(chain(first, listed))
    unreadable = 0
    for path, result in zip(again, network.probabilities(paths), strict=True):
        if isinstance(result, ImageError):
            unreadable += 1
            print(jsonlib.dumps({"path": path, "error": str(result)}) if json else f"{path}: error: {result}")
        else:
            print(_line(path, _best(result, network.classes, top), json=json), flush=True)
    if json and listed.skipped:
        print(jsonlib.dumps({"skipped": dict(listed.skipped)}))
    return PARTLY if report_skipped(listed) or unreadable else 0


def _best(probabilities: NDArray[np.float32], classes: tuple[ImageNetClass, ...], top: int) -> Choices:
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [(classes[i], float(probabilities[i])) for i in order]


def _line(path: str, choices: Choices, *, json: bool) -> str:
    if not json:
        return f"{path}: " + ", ".join(f"{label.label} {probability:.1%}" for label, probability in choices)
    top = [{"label": label.label, "wordnet": label.wordnet, "probability": share} for label, share in choices]
    return jsonlib.dumps({"path": path, "label": top[0]["label"], "probability": top[0]["probability"], "top": top})
