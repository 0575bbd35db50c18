"""Location of pre-trained weights: a file, the folder of an offline machine, or Keras's download."""

import os
import re
from pathlib import Path

from tellapart.backend import keras_home
from tellapart.errors import WeightsError, first_line
from tellapart.progress import notify

SUFFIXES = (".weights.h5", ".h5")


def locate_weights(name: str, weights: str) -> str | None:
    """Return the weights for Keras to load: a file's path, "imagenet" to download, None for random weights.

    Raises WeightsError when the file does not exist.
    """
    if weights == "none":
        return None
    if weights != "imagenet":
        if not Path(weights).is_file():
            raise WeightsError(f"there is no weights file {weights}; expected imagenet, none, or a .weights.h5 file")
        return weights
    if path := local_weights(name):
        return str(path)
    if not keras_download(name, top=False):
        notify(f"ImageNet weights of {name} are not on this machine: Keras downloads them")
    return "imagenet"


def local_weights(name: str) -> Path | None:
    """Find a network's weights in the folder `$TELLAPART_WEIGHTS`."""
    folder = os.environ.get("TELLAPART_WEIGHTS")
    paths = [Path(folder) / f"{name}{ending}" for ending in SUFFIXES] if folder else []
    return next((path for path in paths if path.is_file()), None)


def keras_folder() -> Path:
    """Return the folder of Keras's downloaded models."""
    return keras_home() / "models"


def keras_download(name: str, *, top: bool) -> Path | None:
    """Find Keras's download of a network's weights, with its top or without, in any spelling of the name."""
    rest = "(?!.*notop)" if top else ".*notop"
    pattern = re.compile(rf"(weights)?{re.escape(name.replace('-', ''))}(?!v\d){rest}")
    files = sorted(keras_folder().glob("*.h5"))
    return next((file for file in files if pattern.match(re.sub("[-_]", "", file.name.lower()))), None)


def weights_error(name: str, weights: str | None, error: Exception) -> WeightsError:
    """Turn Keras's error about weights into one that says what to do."""
    if weights == "imagenet":
        return WeightsError(
            f"the ImageNet weights of {name} are not here and could not be downloaded ({first_line(error, None)}). Put "
            f"them as {name}.weights.h5 into a folder and set TELLAPART_WEIGHTS to it, pass --weights FILE, or train "
            f"from scratch with --weights none"
        )
    return WeightsError(
        f"{weights} does not fit {name}: {first_line(error, None)}. Expected weights of {name} without its top, as "
        f"keras.applications saves them"
    )
