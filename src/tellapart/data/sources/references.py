"""References to one image of a data set in text, such as `mnist:test[7388]`, wherever a path is taken."""

import os
import re
from functools import lru_cache
from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.data.labelled_images import LabelledImage
from tellapart.errors import DatasetError

REFERENCE = re.compile(r"(?P<source>.+):(?P<split>[^:/\\\[\]]+)\[(?P<index>[^\[\]]*)\]", re.DOTALL)
EXAMPLE = "mnist:test[7388]"


def is_reference(text: str) -> bool:
    """Return True for a text of the form SOURCE:SPLIT[NUMBER] that is not the path of a file."""
    return text.endswith("]") and REFERENCE.fullmatch(text) is not None and not os.path.lexists(text)


def find_image(text: str) -> LabelledImage:
    """Find the image that a reference names, by its number from 0 in a split of a source. Raises DatasetError."""
    match = REFERENCE.fullmatch(text)
    if match is None:
        raise DatasetError(f"{text} does not name an image; expected SOURCE:SPLIT[NUMBER], such as {EXAMPLE}")
    source, split, number = match["source"], match["split"], match["index"]
    dataset = _opened(source, _changed(source))
    if split not in dataset.splits:
        names = " and ".join(dataset.splits)
        first = next(iter(dataset.splits))
        raise DatasetError(f"{source} has no split {split}, it has {names}: write {source}:{first}[{number}]")
    images = dataset.labelled(split)
    if not (number.isascii() and number.isdecimal()) or int(number) >= len(images):
        raise DatasetError(f"there is no image [{number}] in {source}:{split}: its images are 0 to {len(images) - 1:,}")
    return images[int(number)]


def _changed(source: str) -> float:
    """When a file of arrays or a folder was last changed; 0 for built-in data sets, which do not change."""
    return Path(source).stat().st_mtime if Path(source).exists() else 0.0


@lru_cache(maxsize=1)
def _opened(source: str, _: float) -> Dataset:
    """Open a source once for several references to it: MNIST takes a second."""
    return Dataset.open(source)
