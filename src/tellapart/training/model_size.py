"""The size of a bundle: its bytes, and the parameters of its network, counted without Keras."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from tellapart.bundles.bundle import Bundle
from tellapart.bundles.manifest import KERAS
from tellapart.errors import require

WEIGHTS = "model.weights.h5"
"""In a .keras file."""
HDF5 = Any
"""A group or array of an HDF5 file; h5py has no types."""


def bundle_bytes(bundle: Bundle) -> int:
    """Return the bytes of all files of a bundle."""
    return sum(entry.stat().st_size for entry in bundle.folder.iterdir())


def count_parameters(bundle: Bundle) -> int | None:
    """Count the weights of a bundle's network, as Keras does; None for an estimator or a model without Keras layers.

    The file is that of a run of this machine. Raises MissingPackageError without h5py.
    """
    path = bundle.folder / KERAS
    if not path.is_file():
        return None
    h5py = require("h5py", extra="train")
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read(WEIGHTS)), "r") as file:
        return sum(_sizes({name: item for name, item in file.items() if name != "optimizer"}))


def _sizes(group: Mapping[str, HDF5]) -> Iterator[int]:
    """Yield the size of each array of floats; others are seeds of random layers."""
    for item in group.values():
        if hasattr(item, "shape"):
            if item.dtype.kind == "f":
                yield int(item.size)
        else:
            yield from _sizes(item)
